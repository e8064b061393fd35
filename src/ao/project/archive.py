"""Tar archives, uncompressed: written in one fixed form, read with suspicion.

The form: ustar headers (POSIX.1-1988), owner 0, time 0, modes 0644 and 0755, files and symbolic links only;
a pax header (POSIX.1-2001) carries a path or link target that is not ASCII or longer than 100 bytes. Equal
entries give equal bytes on any machine.

The reader knows files, directories, symbolic links, pax and GNU long names. Anything else is an error that
names the entry: hard links, devices, sparse files, other headers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

BLOCK = 512
CHUNK = 1 << 20
_MAX_EXTENSION = 64 << 10
_END = bytes(2 * BLOCK)
_KINDS = {b"1": "a hard link", b"3": "a device", b"4": "a device", b"6": "a named pipe", b"S": "a sparse file"}


class Kind(Enum):
    FILE = b"0"
    LINK = b"2"
    DIRECTORY = b"5"


@dataclass(frozen=True, slots=True)
class Entry:
    path: str
    """Relative, with `/`."""
    kind: Kind = Kind.FILE
    size: int = 0
    executable: bool = False
    target: str = ""
    """Of a symbolic link."""


class BadArchive(Exception):
    """An archive that cannot be used; `entry` is the name of what is wrong, or empty."""

    def __init__(self, reason: str, entry: str = "") -> None:
        self.reason = reason
        self.entry = entry
        super().__init__(f"{entry!r} {reason}" if entry else f"the archive {reason}")


# --- writing ---------------------------------------------------------------------------------------


def header(entry: Entry) -> bytes:
    """The header blocks of an entry."""
    path, target = entry.path.encode(), entry.target.encode()
    extended = [(key, value) for key, value in (("linkpath", target), ("path", path)) if _needs_pax(value)]
    if not extended:
        return _block(path, entry.kind.value, entry.size, entry.executable, target)
    body = b"".join(_record(key, value) for key, value in extended)
    return (
        _block(b"././@PaxHeader", b"x", len(body), False, b"")
        + body
        + padding(len(body))
        + _block(path[:100], entry.kind.value, entry.size, entry.executable, target[:100])
    )


def padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def ending() -> bytes:
    return _END


def _needs_pax(value: bytes) -> bool:
    return len(value) > 100 or not value.isascii()


def _record(key: str, value: bytes) -> bytes:
    """A pax record: its own length in decimal, a space, key=value, a newline."""
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _block(name: bytes, kind: bytes, size: int, executable: bool, target: bytes) -> bytes:
    mode = b"0000755\0" if executable else b"0000644\0"
    fields = [name.ljust(100, b"\0"), mode, b"0000000\0" * 2, b"%011o\0" % size, b"00000000000\0", b" " * 8]
    fields += [kind, target.ljust(100, b"\0"), b"ustar\x0000", bytes(64), b"0000000\0" * 2]
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


# --- reading ---------------------------------------------------------------------------------------


class Reader:
    """Iterates over the entries of a stream; `chunks()` gives the content of the current one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = 0
        self._pad = 0
        self._name = ""

    def __iter__(self) -> Iterator[Entry]:
        extended: dict[str, bytes] = {}
        while (block := self._next_header()) is not None:
            kind = block[156:157]
            size = _number(block[124:136], self._name)
            if kind in b"xLK":
                self._extend(extended, kind, size)
                continue
            self._name = (extended.get("path") or _name_of(block)).decode("utf-8", "surrogateescape")
            target = extended.get("linkpath") or block[157:257].split(b"\0", 1)[0]
            entry = self._entry(block, kind, _pax_size(extended, size), target)
            extended = {}
            self._left, self._pad = entry.size, -entry.size % BLOCK
            yield entry

    def chunks(self) -> Iterator[bytes]:
        """The content of the current entry."""
        while self._left:
            chunk = self._stream.read(min(self._left, CHUNK))
            if not chunk:
                raise BadArchive("is cut off in the middle of its content", self._name)
            self._left -= len(chunk)
            yield chunk

    def _entry(self, block: bytes, kind: bytes, size: int, target: bytes) -> Entry:
        if kind in (b"0", b"\0", b"7"):
            mode = _number(block[100:108], self._name)
            return Entry(self._name, Kind.FILE, size, bool(mode & 0o100))
        if kind == b"5":
            return Entry(self._name.rstrip("/"), Kind.DIRECTORY)
        if kind == b"2":
            return Entry(self._name, Kind.LINK, target=target.decode("utf-8", "surrogateescape"))
        raise BadArchive(f"is {_KINDS.get(kind, 'an entry of an unknown kind')}", self._name)

    def _extend(self, extended: dict[str, bytes], kind: bytes, size: int) -> None:
        if size > _MAX_EXTENSION:
            raise BadArchive(f"has a header of {size} bytes", self._name)
        self._left, self._pad = size, -size % BLOCK
        self._name = self._name or "the first header"
        body = b"".join(self.chunks())
        if kind == b"x":
            extended.update(_records(body, self._name))
        else:
            extended["path" if kind == b"L" else "linkpath"] = body.rstrip(b"\0")

    def _next_header(self) -> bytes | None:
        for _ in self.chunks():  # what the caller did not read
            pass
        if self._pad and len(self._stream.read(self._pad)) != self._pad:
            raise BadArchive("is cut off in the middle")
        self._pad = 0
        block = self._stream.read(BLOCK)
        if len(block) != BLOCK:
            raise BadArchive("is cut off: its end mark is missing")
        if not any(block):
            self._expect_end()
            return None
        checksum = sum(block[:148]) + 8 * 32 + sum(block[156:])
        if _number(block[148:156], "") != checksum:
            raise BadArchive("is damaged: a header has a wrong checksum")
        return block

    def _expect_end(self) -> None:
        zeros = 0
        while chunk := self._stream.read(CHUNK):
            if any(chunk):
                raise BadArchive("goes on after its end mark")
            zeros += len(chunk)
        if zeros < BLOCK:
            raise BadArchive("is cut off: its end mark is missing")


def _name_of(block: bytes) -> bytes:
    name, prefix = block[:100].split(b"\0", 1)[0], block[345:500].split(b"\0", 1)[0]
    is_posix = block[257:263] == b"ustar\0"
    return prefix + b"/" + name if prefix and is_posix else name


def _number(field: bytes, name: str) -> int:
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b"\0 ")
    if not digits:
        return 0
    if not all(0x30 <= digit <= 0x37 for digit in digits):
        raise BadArchive("has a damaged header", name)
    return int(digits, 8)


def _pax_size(extended: dict[str, bytes], size: int) -> int:
    value = extended.get("size")
    if value is None:
        return size
    if not value.isdigit():
        raise BadArchive("has a damaged pax header")
    return int(value)


def _records(body: bytes, name: str) -> dict[str, bytes]:
    """The pax records that matter; sparse files are refused, times and owners left unread."""
    found: dict[str, bytes] = {}
    while body:
        length, space, _ = body.partition(b" ")
        if not space or not length.isdigit() or not len(length) + 1 < int(length) <= len(body):
            raise BadArchive("has a damaged pax header after it", name)
        record, body = body[len(length) + 1 : int(length)], body[int(length) :]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or b"\0" in value:
            raise BadArchive("has a damaged pax header after it", name)
        if key.startswith(b"GNU.sparse"):
            raise BadArchive("is followed by a sparse file", name)
        if key in (b"path", b"linkpath", b"size"):
            found[key.decode()] = value[:-1]
    return found
