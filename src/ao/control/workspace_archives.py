"""Workspaces as tar archives: written in one fixed form, read with suspicion."""

import hashlib
import tarfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from ao.control.workspaces import Workspaces
from ao.domain.errors import UploadRefused
from ao.domain.workspace import MAX_ENTRIES, MAX_PATH_BYTES, Entry, Kind, Manifest

BLOCK = 512
CHUNK = 1 << 20
_TYPES = {Kind.FILE: tarfile.REGTYPE, Kind.DIRECTORY: tarfile.DIRTYPE, Kind.LINK: tarfile.SYMTYPE}


async def archive_of(workspaces: Workspaces, manifest: Manifest) -> AsyncIterator[bytes]:
    """The bytes of a tar archive (pax): no owners, no times; equal content gives equal bytes."""
    current: Entry | None = None
    async for entry, piece, more in workspaces.contents(manifest):
        if entry is not current:
            current = entry
            yield _header(entry)
        if piece:
            yield piece
        if not more:
            yield bytes(-entry.size % BLOCK)
    yield bytes(2 * BLOCK)


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.type = _TYPES[entry.kind]
    info.size, info.mode, info.linkname = entry.size, entry.mode, entry.target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


@dataclass(frozen=True, slots=True)
class Listed:
    """What an archive says it has: entries as a runner would send them."""

    items: list[dict[str, object]]
    members: dict[str, tarfile.TarInfo]
    """Where each is in the archive, by path."""


def list_archive(archive: Path, max_bytes: int) -> Listed:
    """Read all of it once. Raises UploadRefused for what is no workspace."""
    items: dict[str, dict[str, object]] = {}
    members: dict[str, tarfile.TarInfo] = {}
    total = 0
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                path = member.name.removeprefix("./").rstrip("/")
                if member.size < 0:  # what follows would be read from before it, again and again
                    raise UploadRefused(f"{path[:100]!r} in the archive has a size below 0")
                if path in ("", "."):
                    continue
                if len(path) > MAX_PATH_BYTES:  # before each directory above it is written down
                    raise UploadRefused(
                        f"{path[:100]!r}… in the archive has more than {MAX_PATH_BYTES:,} bytes"
                    )
                total += member.size
                if len(items) > MAX_ENTRIES or total > max_bytes:
                    raise UploadRefused(
                        f"the archive has more than {MAX_ENTRIES:,} entries or {max_bytes:,} bytes",
                        hint="AO_MAX_WORKSPACE sets how large a workspace may be",
                    )
                for parent in _parents(path):
                    items.setdefault(parent, {"path": parent, "kind": "dir", "mode": 0o755})
                items[path] = _item(tar, member, path)
                members[path] = member
    except (tarfile.TarError, EOFError, ValueError, UnicodeError) as error:
        raise UploadRefused(f"this is no tar archive that can be read: {error}") from error
    return Listed(list(items.values()), members)


def _item(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> dict[str, object]:
    if member.isdir():
        return {"path": path, "kind": "dir", "mode": member.mode}
    if member.issym():
        return {"path": path, "kind": "link", "target": member.linkname}
    if not member.isreg() or member.issparse():
        raise UploadRefused(
            f"{path!r} in the archive is neither a file, a directory nor a symbolic link",
            hint="hard links, devices, pipes and sparse files are not taken",
        )
    hashed = hashlib.sha256()
    for piece in _pieces(tar, member):
        hashed.update(piece)
    digest = f"sha256:{hashed.hexdigest()}"
    return {"path": path, "kind": "file", "mode": member.mode, "size": member.size, "digest": digest}


def pieces_of(archive: Path, members: list[tarfile.TarInfo]) -> Iterator[bytes]:
    """The content of these members, one after the other."""
    with tarfile.open(archive, "r:") as tar:
        for member in members:
            yield from _pieces(tar, member)


def _pieces(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    source = tar.extractfile(member)
    while source is not None and (piece := source.read(CHUNK)):
        yield piece


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]
