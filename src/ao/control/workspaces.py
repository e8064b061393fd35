"""Workspaces of sessions as blobs: a list, one blob with all small files, and one for each large one."""

import asyncio
import errno
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from ao.blobs import BlobStore
from ao.domain.errors import NotFound, StorageFull
from ao.domain.session import Workspace
from ao.domain.workspace import Entry, Kind, Manifest, checked, refused
from ao.ids import Digest

EMPTY = Manifest(())


class Workspaces:
    """`directory` is for what is on its way, on the file system of the blobs."""

    def __init__(self, blobs: BlobStore, directory: Path, max_bytes: int) -> None:
        self._blobs = blobs
        self._directory = directory
        self.max_bytes = max_bytes

    async def manifest(self, workspace: Workspace | None) -> Manifest:
        """What is in it; nothing for None."""
        return EMPTY if workspace is None else Manifest.decode(await self._blobs.get(workspace.digest))

    def intake(self, items: Iterable[object], former: Workspace | None, manifest: Manifest) -> "Intake":
        """Take a new content whose files are about to come. `manifest` is that of `former`, of which what is
        still the same is used again. Raises InvalidInput that names what cannot be kept."""
        return Intake(self._blobs, self._directory, checked(items, self.max_bytes), former, manifest)

    async def contents(self, manifest: Manifest) -> AsyncIterator[tuple[Entry, bytes, bool]]:
        """All entries, files with their content in pieces: (entry, piece, whether more of it follows)."""
        pack = _Reader(self._blobs, manifest.pack)
        try:
            for entry in manifest.entries:
                if entry.kind is not Kind.FILE:
                    yield entry, b"", False
                    continue
                source = pack if entry.packed else _Reader(self._blobs, entry.digest)
                left = entry.size
                while True:
                    piece = await source.read(left)
                    left -= len(piece)
                    yield entry, piece, left > 0
                    if left == 0:
                        break
        finally:
            await pack.close()

    async def content(self, manifest: Manifest, path: str) -> AsyncIterator[bytes]:
        """One file in pieces. Raises NotFound."""
        entry = manifest.find(path)
        if entry is None or entry.kind is not Kind.FILE:
            raise NotFound(f"the workspace has no file {path!r}")
        before = 0
        if entry.packed:
            files = (each for each in manifest.entries if each.packed)
            before = sum(each.size for each in _until(files, entry))
        source = _Reader(self._blobs, manifest.pack if entry.packed else entry.digest)
        while before:
            before -= len(await source.read(before))
        left = entry.size
        while left:
            piece = await source.read(left)
            left -= len(piece)
            yield piece
        await source.close()


def _until(entries: Iterable[Entry], last: Entry) -> Iterable[Entry]:
    for entry in entries:
        if entry is last:
            return
        yield entry


class _Reader:
    """A blob from its start, in pieces of at most the size that is asked for."""

    def __init__(self, blobs: BlobStore, digest: Digest | None) -> None:
        self._pieces = None if digest is None else blobs.stream(digest)
        self._held = b""

    async def read(self, most: int) -> bytes:
        """Not empty unless `most` is 0. Raises NotFound when the blob is shorter than its list says."""
        if most and not self._held:
            try:
                self._held = b"" if self._pieces is None else await anext(self._pieces)
            except StopAsyncIteration:
                self._held = b""
            if not self._held:
                raise NotFound("a file of the workspace is not where its list says")
        piece, self._held = self._held[:most], self._held[most:]
        return piece

    async def close(self) -> None:
        closing = getattr(self._pieces, "aclose", None)
        if closing is not None:
            await closing()


class Intake:
    """A content on its way in. Feed it the files that are `wanted`, one after the other, then `finish` it."""

    def __init__(
        self,
        blobs: BlobStore,
        directory: Path,
        entries: Sequence[Entry],
        former: Workspace | None,
        manifest: Manifest,
    ) -> None:
        self._blobs = blobs
        self._entries = entries
        self._former = former
        self._is_same = former is not None and list(manifest.entries) == list(entries)
        self._pack = manifest.pack if _packed(manifest.entries) == _packed(entries) else None
        known = {entry.digest for entry in manifest.entries if entry.kind is Kind.FILE and not entry.packed}
        self._wanted = [] if self._is_same else [each for each in entries if self._is_wanted(each, known)]
        self._waiting = list(reversed(self._wanted))
        self._parent = directory
        self._scratch: Path | None = None
        self._packing: BinaryIO | None = None
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._left = 0
        self.manifest = manifest
        """Of what is kept, once it is finished."""

    @property
    def wanted(self) -> Sequence[Entry]:
        return self._wanted

    def _is_wanted(self, entry: Entry, known: set[Digest | None]) -> bool:
        if entry.kind is not Kind.FILE or not entry.size:
            return False
        return self._pack is None if entry.packed else entry.digest not in known

    async def feed(self, data: bytes) -> None:
        """The next bytes. Raises InvalidInput for what is not as it was announced, and StorageFull."""
        while data:
            if not self._left:
                await self._begin_next()
            piece, data = data[: self._left], data[self._left :]
            self._hash.update(piece)
            self._left -= len(piece)
            await self._write(piece)
            if not self._left:
                await self._end_file()

    async def finish(self) -> Workspace:
        """What is kept now. Raises InvalidInput when something is missing."""
        if self._is_same and self._former is not None:
            return self._former
        if self._waiting or self._left:
            missing = self._waiting[-1].path if not self._left else self._current.path
            raise refused(missing, "was not sent completely")
        pack = self._pack
        if self._packing is not None and self._scratch is not None:
            self._packing.close()
            pack = await self._blobs.put_file(self._scratch / "pack")
        self.manifest = Manifest(self._entries, pack)
        digest = await self._blobs.put(self.manifest.encode())
        return Workspace(digest, self.manifest.blobs, self.manifest.files, self.manifest.size)

    def close(self) -> None:
        """Remove what is left of it on the disk."""
        for file in (self._file, self._packing):
            if file is not None:
                file.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def _begin_next(self) -> None:
        if not self._waiting:
            raise refused("", "was sent with more than it has")
        self._current = self._waiting.pop()
        self._left = self._current.size
        self._hash = hashlib.sha256()
        if self._scratch is None:
            self._scratch = Path(
                await asyncio.to_thread(tempfile.mkdtemp, dir=self._parent, prefix="workspace-")
            )
        if not self._current.packed:
            self._file = (self._scratch / "file").open("xb")
        elif self._packing is None:
            self._packing = (self._scratch / "pack").open("xb")

    async def _write(self, piece: bytes) -> None:
        file = self._packing if self._current.packed else self._file
        assert file is not None
        try:
            await asyncio.to_thread(file.write, piece)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(hint="make room, or run `ao gc`") from error
            raise

    async def _end_file(self) -> None:
        if f"sha256:{self._hash.hexdigest()}" != self._current.digest:
            raise refused(self._current.path, "has changed while it was read")
        if self._file is not None and self._scratch is not None:
            self._file.close()
            self._file = None
            await self._blobs.put_file(self._scratch / "file")


def _packed(entries: Sequence[Entry]) -> Sequence[tuple[int, Digest | None]]:
    """What makes the blob of small files what it is."""
    return [(entry.size, entry.digest) for entry in entries if entry.packed]
