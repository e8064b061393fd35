"""Blobs in a bucket of S3, or of anything that speaks it, laid out as an OCI image layout.

`blobs/sha256/…` are the blobs. S3 cannot mark an object as used without writing all of it again, so `used/…`
has an empty object for each blob that was used long after it was written. Bytes are checked in both directions:
by the store when they are sent, against their name when they come.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import S3Store

from ao.blobs.names import digest_of, hex_of
from ao.blobs.s3_errors import REFUSED, told
from ao.blobs.s3_index import BucketIndex
from ao.domain.errors import InternalError, InvalidConfig, NotFound, Problem, Unavailable
from ao.ids import Digest
from ao.places import Bucket, S3Access

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_FRESH_SECONDS = 240.0
"""A blob that was used so lately needs no mark; shorter than what a collection spares."""
_REMEMBERED = 100_000
_CHUNK = 8 << 20
"""Of a large blob, in one request; also of one that is sent in parts."""
_AT_ONCE = 16
"""Requests."""
_PAGE = 1000
_EMPTY = digest_of(b"")
_RETRIES: "RetryConfig" = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}
"""With backoff and jitter."""


class S3Blobs:
    """`BlobStore` in a bucket; safe for any number of tasks, threads and processes."""

    def __init__(self, bucket: Bucket, access: S3Access) -> None:
        self._place = bucket
        self._store = _open(bucket, access)
        self._index = BucketIndex(self._store, bucket)
        self._marked: dict[Digest, float] = {}
        """When this process last said that a blob is in use."""
        self._requests = asyncio.Semaphore(_AT_ONCE)

    @property
    def place(self) -> str:
        return str(self._place)

    async def check(self) -> None:
        with told(self._place):
            await obstore.list_with_delimiter_async(self._store)  # who has no bucket may write one into being
            await obstore.put_async(self._store, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            await obstore.get_async(self._store, "oci-layout")

    async def put(self, content: bytes) -> Digest:
        digest = digest_of(content)
        if not await self.exists(digest):
            with told(self._place):
                await obstore.put_async(self._store, _path(digest), content, chunk_size=_CHUNK)
        return digest

    async def put_file(self, path: Path) -> Digest:
        digest = await asyncio.to_thread(_digest_of_file, path)
        if not await self.exists(digest):
            with told(self._place):
                await obstore.put_async(self._store, _path(digest), path, chunk_size=_CHUNK)
        await asyncio.to_thread(path.unlink)
        return digest

    async def publish(self, manifest: Digest, name: str) -> None:
        await self._index.add(name, manifest, await self.get(manifest))

    async def get(self, digest: Digest) -> bytes:
        return b"".join([chunk async for chunk in self.stream(digest)])

    async def stream(self, digest: Digest) -> AsyncIterator[bytes]:
        path, seen, start = _path(digest), hashlib.sha256(), 0
        if digest == _EMPTY:  # it has no range that could be asked for
            if await self._size(digest) is None:
                raise NotFound(f"there is no blob {digest}")
            yield b""
            return
        while True:
            with told(self._place, digest):
                part = await obstore.get_async(self._store, path, options={"range": (start, start + _CHUNK)})
                chunk = bytes(await part.bytes_async())
            seen.update(chunk)
            start += len(chunk)
            if start >= part.meta["size"] and seen.hexdigest() != hex_of(digest):
                raise InternalError(
                    f"what {self._place} has as {digest} are other bytes",
                    hint="restore that object from a backup, or delete it and deploy again",
                )
            yield chunk
            if start >= part.meta["size"]:
                return

    async def save(self, digest: Digest, target: Path) -> None:
        chunks = self.stream(digest)
        first = await anext(chunks)  # an absent blob makes no file
        with await asyncio.to_thread(target.open, "xb") as file:
            await asyncio.to_thread(file.write, first)
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)

    async def exists(self, digest: Digest) -> bool:
        try:
            with told(self._place, digest):
                meta = await obstore.head_async(self._store, _path(digest))
        except NotFound:
            return False
        now = time.time()
        if now - max(meta["last_modified"].timestamp(), self._marked.get(digest, 0.0)) > _FRESH_SECONDS:
            with told(self._place):
                await obstore.put_async(self._store, f"used/{hex_of(digest)}", b"")
            if len(self._marked) >= _REMEMBERED:
                self._marked.clear()
            self._marked[digest] = now
        return True

    async def delete(self, digests: Iterable[Digest]) -> int:
        unique = list(set(digests))
        sizes = await asyncio.gather(*(self._size(digest) for digest in unique))
        found = [digest for digest, size in zip(unique, sizes, strict=True) if size is not None]
        if found:
            await self._index.drop(set(found))
            for start in range(0, len(found), _PAGE):
                page = found[start : start + _PAGE]
                with told(self._place):
                    await obstore.delete_async(self._store, [_path(digest) for digest in page])
                    await obstore.delete_async(self._store, [f"used/{hex_of(digest)}" for digest in page])
        return sum(size or 0 for size in sizes)

    async def _size(self, digest: Digest) -> int | None:
        try:
            async with self._requests:
                with told(self._place, digest):
                    return (await obstore.head_async(self._store, _path(digest)))["size"]
        except NotFound:
            return None

    async def all(self, idle_seconds: float = 0.0) -> Mapping[Digest, int]:
        used = {name: at for name, _, at in await self._list("used/")} if idle_seconds else {}
        newest = time.time() - idle_seconds
        return {
            Digest(f"sha256:{name}"): size
            for name, size, at in await self._list("blobs/sha256/")
            if not idle_seconds or max(at, used.get(name, 0.0)) <= newest
        }

    async def _list(self, prefix: str) -> list[tuple[str, int, float]]:
        """Name, size and time of everything below."""
        with told(self._place):
            return [
                (item["path"].rpartition("/")[2], item["size"], item["last_modified"].timestamp())
                async for page in obstore.list(self._store, prefix, chunk_size=_PAGE)
                for item in page
            ]


async def open_s3(bucket: Bucket, access: S3Access) -> S3Blobs:
    """Open it and try it. Raises InvalidConfig when the bucket or the key is refused, Unavailable when nobody
    answers."""
    blobs = S3Blobs(bucket, access)
    try:
        await blobs.check()
    except Unavailable as error:
        if REFUSED not in error.details:
            raise
        problem = Problem("AO_BLOBS", error.message, error.hint)
        raise InvalidConfig(f"AO_BLOBS: {error.message}", hint=error.hint, problems=[problem]) from error
    return blobs


def _open(bucket: Bucket, access: S3Access) -> S3Store:
    config: S3Config = {"checksum_algorithm": "SHA256"}
    if access.endpoint is not None:
        config["endpoint"] = access.endpoint
    if access.region is not None or access.endpoint is not None:
        config["region"] = access.region or "us-east-1"
    if access.key_id is not None and access.secret is not None:
        config["access_key_id"], config["secret_access_key"] = access.key_id, access.secret
    client: ClientConfig = {
        "timeout": timedelta(seconds=30),  # of one request; none has more than a chunk
        "connect_timeout": timedelta(seconds=5),
        "allow_http": (access.endpoint or "").startswith("http://"),
    }
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        config=config,
        client_options=client,
        retry_config=_RETRIES,
    )


def _path(digest: Digest) -> str:
    return f"blobs/sha256/{hex_of(digest)}"


def _digest_of_file(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest("sha256:" + hashlib.file_digest(file, "sha256").hexdigest())
