"""Blobs in a directory: an OCI image layout (image-spec 1.1), so any OCI tool can read the artifacts."""

import asyncio
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ao.blobs.names import digest_of, hex_of
from ao.blobs.oci_index import Index
from ao.domain.errors import NotFound, Unavailable
from ao.ids import Digest
from ao.system import WHO_OWNS, refusal

_CHUNK = 1 << 20


class LocalBlobs:
    """`BlobStore` in `root`; safe for any number of tasks, threads and processes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._directory = root / "blobs" / "sha256"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._index = Index(root)

    @property
    def place(self) -> str:
        return str(self._root)

    async def check(self) -> None:
        try:
            await asyncio.to_thread(self._check)
        except OSError as error:
            raise Unavailable(f"{self._root} cannot be used now: {error.strerror}", hint=WHO_OWNS) from error

    async def put(self, content: bytes) -> Digest:
        return await asyncio.to_thread(self._put, content)

    async def put_file(self, path: Path) -> Digest:
        return await asyncio.to_thread(self._put_file, path)

    async def get(self, digest: Digest) -> bytes:
        return await asyncio.to_thread(self._read, digest)

    async def stream(self, digest: Digest) -> AsyncIterator[bytes]:
        with await asyncio.to_thread(self._open, digest) as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk

    async def save(self, digest: Digest, target: Path) -> None:
        await asyncio.to_thread(self._save, digest, target)

    async def exists(self, digest: Digest) -> bool:
        return await asyncio.to_thread(self._touch, digest)

    async def delete(self, digests: Iterable[Digest]) -> int:
        return await asyncio.to_thread(self._delete, set(digests))

    async def publish(self, manifest: Digest, name: str) -> None:
        await asyncio.to_thread(self._publish_manifest, manifest, name)

    async def all(self, idle_seconds: float = 0.0) -> Mapping[Digest, int]:
        return await asyncio.to_thread(self._all, idle_seconds)

    def _check(self) -> None:
        os.utime(self._directory)
        if not os.access(self._directory, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _path(self, digest: Digest) -> Path:
        return self._directory / hex_of(digest)

    def _open(self, digest: Digest) -> BinaryIO:
        try:
            return self._path(digest).open("rb")
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob {digest}") from error

    def _read(self, digest: Digest) -> bytes:
        with self._open(digest) as file:
            return file.read()

    def _put(self, content: bytes) -> Digest:
        digest = digest_of(content)
        if self._touch(digest):
            return digest
        with self._new_file() as path:
            path.write_bytes(content)
            self._publish(path, digest)
        return digest

    def _put_file(self, path: Path) -> Digest:
        with path.open("rb") as file:
            digest = Digest("sha256:" + hashlib.file_digest(file, "sha256").hexdigest())
        if self._touch(digest):
            path.unlink()
            return digest
        try:
            self._publish(path, digest)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise self._wrapped(error) from error
            with self._new_file() as copy:
                shutil.copyfile(path, copy)
                self._publish(copy, digest)
            path.unlink()
        return digest

    def _touch(self, digest: Digest) -> bool:
        """Whether the blob is there; if so it counts as used now, which keeps a collection off it."""
        try:
            os.utime(self._path(digest))
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _new_file(self) -> Iterator[Path]:
        try:
            descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=".new-")
        except OSError as error:
            raise self._wrapped(error) from error
        os.close(descriptor)
        try:
            yield Path(name)
        except OSError as error:
            raise self._wrapped(error) from error
        finally:
            Path(name).unlink(missing_ok=True)

    def _publish_manifest(self, manifest: Digest, name: str) -> None:
        content = self._read(manifest)
        said = json.loads(content)
        kind = {key: said[key] for key in ("mediaType", "artifactType")}
        try:
            self._index.add(name, {**kind, "digest": manifest, "size": len(content)})
        except OSError as error:
            raise self._wrapped(error) from error

    def _publish(self, path: Path, digest: Digest) -> None:
        """Give a complete file its name, durably: the bytes first, then the directory."""
        os.chmod(path, 0o444)
        os.utime(path)
        _sync(path)
        os.rename(path, self._path(digest))
        _sync(self._directory)

    def _save(self, digest: Digest, target: Path) -> None:
        source = self._path(digest)
        try:
            os.link(source, target)
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob {digest}") from error
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                raise self._wrapped(error) from error
            shutil.copyfile(source, target)

    def _wrapped(self, error: OSError) -> Exception:
        return refusal(error, "make room, or run `ao gc`", self._directory) or error

    def _delete(self, digests: set[Digest]) -> int:
        freed = 0
        self._index.drop(digests)
        for digest in digests:
            path = self._path(digest)
            try:
                status = path.stat()
                path.unlink()
            except FileNotFoundError:
                continue
            freed += status.st_size
        return freed

    def _all(self, idle_seconds: float) -> dict[Digest, int]:
        newest = time.time() - idle_seconds
        found: dict[Digest, int] = {}
        with os.scandir(self._directory) as items:
            for item in items:
                status = item.stat()
                if not item.name.startswith(".") and (not idle_seconds or status.st_mtime <= newest):
                    found[Digest(f"sha256:{item.name}")] = status.st_size
        return found


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
