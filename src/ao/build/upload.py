"""An uploaded archive, checked entry by entry and unpacked into a private directory."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ao.domain.errors import Problem, UploadRefused
from ao.ids import Digest
from ao.project import paths
from ao.project.archive import BadArchive, Entry, Kind, Reader
from ao.project.packing import Limits


def unpack(archive: Path, digest: Digest, directory: Path, limits: Limits) -> None:
    """Unpack into `directory`, which is empty. Raises `UploadRefused`, naming the entry; what was written
    until then is the caller's to remove."""
    with archive.open("rb") as file:
        found = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise UploadRefused(
                "the upload was damaged on its way",
                hint="deploy again",
                details={"expected": digest, "found": found},
            )
        file.seek(0)
        try:
            _Unpacking(directory, limits).run(file)
        except BadArchive as error:
            raise _refused(error.entry, error.reason) from error


@dataclass(slots=True)
class _Unpacking:
    root: Path
    limits: Limits
    seen: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=lambda: {""})
    links: list[Entry] = field(default_factory=list)
    total: int = 0

    def run(self, stream: BinaryIO) -> None:
        reader = Reader(stream)
        for entry in reader:
            self._check(entry)
            if entry.kind is Kind.DIRECTORY:
                self._make_directory(entry.path)
                continue
            self._claim(entry.path)
            self._make_directory(entry.path.rpartition("/")[0])
            if entry.kind is Kind.LINK:
                self.links.append(entry)
            else:
                self._write(entry, reader.chunks())
        self._make_links()

    def _check(self, entry: Entry) -> None:
        if entry.path in ("", ".") and entry.kind is Kind.DIRECTORY:
            return
        if reason := paths.why_refused(entry.path):
            raise _refused(entry.path, reason)
        self.total += entry.size
        if entry.size > self.limits.file_bytes:
            raise _refused(entry.path, f"is larger than {self.limits.file_bytes >> 20} MiB")
        if self.total > self.limits.total_bytes:
            raise _refused(entry.path, f"makes the project larger than {self.limits.total_bytes >> 20} MiB")
        if entry.kind is Kind.LINK and paths.leads_out(entry.path, entry.target):
            raise _refused(entry.path, f"is a link that leaves the project (to {entry.target})")

    def _claim(self, path: str) -> None:
        """Every name once, also where case or Unicode form is ignored; directories count as entries."""
        if len(self.seen) >= self.limits.files:
            raise _refused(path, f"is one entry too many: at most {self.limits.files} are allowed")
        key = paths.collision_key(path)
        other = self.seen.get(key)
        if other == path:
            raise _refused(path, "is in the archive twice")
        if other is not None:
            raise _refused(path, f"and {other} are one name on some file systems")
        self.seen[key] = path

    def _make_directory(self, path: str) -> None:
        if path in self.directories or path == ".":
            return
        self._make_directory(path.rpartition("/")[0])
        self._claim(path)
        self.directories.add(path)
        (self.root / path).mkdir()
        (self.root / path).chmod(0o755)  # whatever the umask is

    def _write(self, entry: Entry, chunks: Iterator[bytes]) -> None:
        mode = 0o755 if entry.executable else 0o644
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.root / entry.path, flags, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask is
            for chunk in chunks:
                file.write(chunk)

    def _make_links(self) -> None:
        """Last, so that nothing is ever written through a link; then each is followed once to its end."""
        for entry in self.links:
            os.symlink(entry.target, self.root / entry.path)
        root = os.path.realpath(self.root)
        for entry in self.links:
            end = os.path.realpath(self.root / entry.path)
            if end != root and not end.startswith(root + os.sep):
                raise _refused(entry.path, f"is a link that leaves the project (to {entry.target})")


def _refused(entry: str, reason: str) -> UploadRefused:
    if not entry:
        return UploadRefused(f"the archive {reason}")
    shown = entry.encode("utf-8", "replace").decode()
    return UploadRefused(f"{shown!r} {reason}", problems=[Problem(shown, reason)], details={"entry": shown})
