"""What the image of an agent's Dockerfile is made of: the files of the release in its directory
that its `.dockerignore` does not keep out.

Its digest is a function of their names and content alone, so equal directories of two releases are one image.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ao.domain.errors import InvalidInput, SandboxError
from ao.project import dockerignore, packing, paths
from ao.project.archive import Entry, Kind

_COMPILED = "__pycache__"
"""AO compiles releases after it has unpacked them."""


@dataclass(frozen=True, slots=True)
class Context:
    root: Path
    dockerfile: str
    """In `root`."""
    digest: str
    """Hexadecimal SHA-256."""
    entries: list[Entry]

    def archive(self) -> Iterator[bytes]:
        """As an uncompressed tar."""
        return packing.stream(self.root, self.entries)


def context_of(code_dir: Path, dockerfile: str) -> Context:
    """Raises `SandboxError` when its `.dockerignore` cannot be read."""
    file = code_dir / dockerfile
    try:
        ignored = dockerignore.beside(file)
    except InvalidInput as error:
        raise SandboxError(f"{dockerfile} does not build: {error.message}", hint=error.hint) from error
    kept = (entry for entry in _below(file.parent, "") if not ignored.excludes(entry.path))
    entries = sorted(kept, key=lambda entry: entry.path.encode())
    digest = hashlib.sha256(f"{file.name}\n".encode())
    for chunk in packing.stream(file.parent, entries):
        digest.update(chunk)
    return Context(file.parent, file.name, digest.hexdigest(), entries)


def _below(directory: Path, prefix: str) -> Iterator[Entry]:
    with os.scandir(directory) as found:
        for item in found:
            path = prefix + item.name
            if item.name == _COMPILED or path == paths.RESERVED:
                continue
            if item.is_symlink():
                yield Entry(path, Kind.LINK, target=os.readlink(item.path))
            elif item.is_dir():
                yield from _below(Path(item.path), f"{path}/")
            else:
                status = item.stat()
                yield Entry(path, size=status.st_size, executable=bool(status.st_mode & 0o100))
