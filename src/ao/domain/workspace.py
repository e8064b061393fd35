"""The list of what is in a workspace: checked, sorted, and the same text for the same content."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ao.domain.errors import InvalidInput, Problem
from ao.ids import Digest

MAX_ENTRIES = 10_000
MAX_PATH_BYTES = 1_024
MAX_NAME_BYTES = 255
PACKED_BYTES = 256 << 10
"""Files up to this size are kept together in one blob, larger ones in one each."""
_MODE = 0o777
_HEX = frozenset("0123456789abcdef")


class Kind(StrEnum):
    FILE = "file"
    DIRECTORY = "dir"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Entry:
    path: str
    """Relative, with `/`."""
    kind: Kind
    mode: int = 0o755
    size: int = 0
    digest: Digest | None = None
    """Of a file."""
    target: str = ""
    """Of a symbolic link: relative, and inside of the workspace."""

    @property
    def packed(self) -> bool:
        return self.kind is Kind.FILE and self.size <= PACKED_BYTES


@dataclass(frozen=True, slots=True)
class Manifest:
    entries: Sequence[Entry]
    """By path: a directory comes before what is in it."""
    pack: Digest | None = None
    """The blob with the packed files, one after the other."""

    @property
    def files(self) -> int:
        return sum(entry.kind is Kind.FILE for entry in self.entries)

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)

    @property
    def blobs(self) -> Sequence[Digest]:
        large = {
            entry.digest
            for entry in self.entries
            if entry.kind is Kind.FILE and not entry.packed and entry.digest
        }
        return sorted(large | ({self.pack} if self.pack else set()))

    def encode(self) -> bytes:
        document = {"version": 1, "pack": self.pack, "entries": [to_json(entry) for entry in self.entries]}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, content: bytes) -> "Manifest":
        document = json.loads(content)
        return cls([_entry(item) for item in document["entries"]], document["pack"])

    def find(self, path: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.path == path), None)


def to_json(entry: Entry) -> dict[str, Any]:
    """The fields that its kind has."""
    fields: dict[str, Any] = {"path": entry.path, "kind": str(entry.kind)}
    if entry.kind is Kind.LINK:
        return {**fields, "target": entry.target}
    fields["mode"] = entry.mode
    if entry.kind is Kind.FILE:
        fields |= {"size": entry.size, "digest": entry.digest}
    return fields


def checked(items: Iterable[object], max_bytes: int) -> Sequence[Entry]:
    """Entries that somebody has sent, sorted. Raises InvalidInput that names the first that cannot be kept."""
    entries: list[Entry] = []
    for item in items:
        entries.append(_check(_read(item)))
        if len(entries) > MAX_ENTRIES:
            raise refused("", f"has more than {MAX_ENTRIES:,} files and directories")
    entries.sort(key=lambda entry: entry.path.split("/"))
    _check_tree(entries)
    total = sum(entry.size for entry in entries)
    if total > max_bytes:
        raise refused("", f"holds {total:,} bytes; at most {max_bytes:,} are kept", "AO_MAX_WORKSPACE sets it")
    return entries


def refused(path: str, reason: str, hint: str = "") -> InvalidInput:
    what = f"{path!r} in the workspace" if path else "the workspace"
    return InvalidInput(f"{what} {reason}", hint=hint, problems=[Problem(path, reason, hint)])


def _read(item: object) -> Entry:
    if not isinstance(item, Mapping):
        raise refused("", "has an entry that is none")
    try:
        return _entry(item)
    except (KeyError, TypeError, ValueError) as error:
        raise refused(str(item.get("path"))[:200], "is an entry that makes no sense") from error


def _entry(item: Mapping[str, Any]) -> Entry:
    kind = Kind(item["kind"])
    if kind is Kind.LINK:
        return Entry(str(item["path"]), kind, 0o777, target=str(item["target"]))
    mode = _count(item["mode"]) & _MODE
    if kind is Kind.DIRECTORY:
        return Entry(str(item["path"]), kind, mode)
    return Entry(str(item["path"]), kind, mode, _count(item["size"]), _digest(item["digest"]))


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("not a count")
    return value


def _digest(value: object) -> Digest:
    text = str(value)
    algorithm, _, name = text.partition(":")
    if algorithm != "sha256" or len(name) != 64 or not set(name) <= _HEX:
        raise ValueError("not a digest")
    return Digest(text)


def _check(entry: Entry) -> Entry:
    path = entry.path
    parts = path.split("/")
    try:
        encoded = path.encode()
        entry.target.encode()
    except UnicodeEncodeError:
        raise refused(path.encode(errors="replace").decode(), "has a name that is not UTF-8") from None
    if "\0" in path or "\0" in entry.target or not path or any(part in ("", ".", "..") for part in parts):
        raise refused(path, "is no path below the workspace")
    if len(encoded) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise refused(path[:100], f"has a path of more than {MAX_PATH_BYTES:,} bytes, or too long a name")
    if entry.kind is Kind.LINK and not _stays_inside(parts[:-1], entry.target):
        raise refused(
            path, f"is a link to {entry.target!r}, which is outside", "link to a relative path inside"
        )
    return entry


def _stays_inside(above: Sequence[str], target: str) -> bool:
    """It climbs first, not above the workspace, and never again: whatever links it passes, it ends inside."""
    parts = target.split("/")
    climbed = 0
    while climbed < len(parts) and parts[climbed] == "..":
        climbed += 1
    if not target or target.startswith("/") or len(target.encode()) > MAX_PATH_BYTES:
        return False
    return climbed <= len(above) and ".." not in parts[climbed:]


def _check_tree(entries: Sequence[Entry]) -> None:
    """Everything is listed once, in a directory that is listed."""
    directories: set[str] = set()
    seen: set[str] = set()
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        if entry.path in seen:
            raise refused(entry.path, "is listed twice")
        if parent and parent not in directories:
            raise refused(entry.path, "is in what is no directory")
        seen.add(entry.path)
        if entry.kind is Kind.DIRECTORY:
            directories.add(entry.path)
