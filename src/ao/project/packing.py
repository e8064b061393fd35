"""A project directory as one archive whose bytes depend on nothing but the project's files."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ao.domain.errors import InvalidInput, Problem
from ao.ids import Digest
from ao.project import archive, paths
from ao.project.archive import Entry, Kind
from ao.project.ignore import Rules, looks_secret


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one project; the server checks them again."""

    total_bytes: int = 512 << 20
    file_bytes: int = 512 << 20
    files: int = 50_000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Packed:
    digest: Digest
    size: int
    files: int
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a project is packed, in order."""

    root: Path
    entries: list[Entry]
    warnings: list[str]


def pack(root: Path, target: Path, limits: Limits = DEFAULT_LIMITS) -> Packed:
    """Write the archive of a project to the file `target`.

    Raises `InvalidInput` with one problem per entry that cannot be part of a release.
    """
    selection = select(root, limits)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        for chunk in stream(root, selection.entries):
            digest.update(chunk)
            size += out.write(chunk)
    return Packed(Digest(f"sha256:{digest.hexdigest()}"), size, len(selection.entries), selection.warnings)


def select(root: Path, limits: Limits = DEFAULT_LIMITS) -> Selection:
    """The files and links that belong to the project, sorted by path."""
    walk = _Walk(root)
    walk.directory(root, "", Rules.of(root))
    entries = sorted(walk.entries, key=lambda entry: entry.path.encode())
    problems = [*walk.problems, *_collisions(entries), *_beyond(entries, limits)]
    if problems:
        raise InvalidInput(
            f"{len(problems)} {'entry' if len(problems) == 1 else 'entries'} of {root} cannot be packed",
            hint="leave them out with a line in .aoignore",
            problems=problems,
        )
    return Selection(root, entries, sorted(walk.warnings))


def stream(root: Path, entries: Iterable[Entry]) -> Iterator[bytes]:
    """The bytes of the archive of these entries of `root`."""
    for entry in entries:
        yield archive.header(entry)
        if entry.kind is Kind.FILE:
            yield from _content(root / entry.path, entry)
            yield archive.padding(entry.size)
    yield archive.ending()


def _content(path: Path, entry: Entry) -> Iterator[bytes]:
    left = entry.size
    with path.open("rb") as file:
        while left:
            chunk = file.read(min(left, archive.CHUNK))
            if not chunk:
                raise InvalidInput(f"{entry.path} changed while it was being packed", hint="try again")
            left -= len(chunk)
            yield chunk


class _Walk:
    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def directory(self, directory: Path, prefix: str, rules: Rules) -> None:
        with os.scandir(directory) as found:
            for item in found:
                self._item(item, prefix + item.name, rules)

    def _item(self, item: os.DirEntry[str], path: str, rules: Rules) -> None:
        is_directory = item.is_dir(follow_symlinks=False)
        if rules.ignores(path, is_directory):
            return
        if is_directory:
            inside = Path(item.path)
            if not (inside / "pyvenv.cfg").is_file():  # any virtual environment, whatever its name
                self.directory(inside, path + "/", rules.below(inside, path + "/"))
            return
        if reason := paths.why_refused(path):
            self._refuse(path, reason)
        elif item.is_symlink():
            self._link(item, path)
        else:
            self._file(item, path)

    def _file(self, item: os.DirEntry[str], path: str) -> None:
        status = item.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            self._refuse(path, "is neither a file nor a directory nor a link")
            return
        if looks_secret(item.name):
            self.warnings.append(f"{path} looks like a secret and will be part of the release")
        self.entries.append(Entry(path, size=status.st_size, executable=bool(status.st_mode & stat.S_IXUSR)))

    def _link(self, item: os.DirEntry[str], path: str) -> None:
        target = os.readlink(item.path)
        real = os.path.realpath(item.path)
        if real != self.root and not real.startswith(self.root + os.sep):
            self._refuse(path, f"is a link that leaves the project (to {target})")
            return
        if target.startswith("/"):
            target = os.path.relpath(real, os.path.dirname(os.path.join(self.root, path)))
        if paths.leads_out(path, target):
            self._refuse(path, f"is a link that leaves the project (to {target})")
            return
        self.entries.append(Entry(path, Kind.LINK, target=target))

    def _refuse(self, path: str, reason: str) -> None:
        shown = path.encode("utf-8", "replace").decode()
        shown = shown if shown.isprintable() else repr(shown)
        self.problems.append(Problem(shown, f"{shown} {reason}"))


def _collisions(entries: list[Entry]) -> Iterator[Problem]:
    """Files, links and the directories above them whose names differ by case or Unicode form only."""
    seen: dict[str, str] = {}
    for path in dict.fromkeys(part for entry in entries for part in _prefixes(entry.path)):
        other = seen.setdefault(paths.collision_key(path), path)
        if other != path:
            yield Problem(path, f"{path} and {other} are one name on some file systems")


def _prefixes(path: str) -> Iterator[str]:
    names = path.split("/")
    return ("/".join(names[:length]) for length in range(1, len(names) + 1))


def _beyond(entries: list[Entry], limits: Limits) -> Iterator[Problem]:
    if len(entries) > limits.files:
        yield Problem("", f"{len(entries)} files are more than {limits.files}")
    total = sum(entry.size for entry in entries)
    if total > limits.total_bytes:
        largest = max(entries, key=lambda entry: entry.size)
        yield Problem(
            "", f"{total >> 20} MiB are more than {limits.total_bytes >> 20} MiB; the largest is {largest.path}"
        )
    for entry in entries:
        if entry.size > limits.file_bytes:
            yield Problem(entry.path, f"{entry.path} is larger than {limits.file_bytes >> 20} MiB")
