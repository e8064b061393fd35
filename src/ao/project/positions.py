"""Where the keys of a TOML document are: the standard library's parser does not tell.

Only for documents that the parser accepts; the answers for others mean nothing.
"""

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Keys and, for arrays, indexes from 0."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_VOID = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}\n#]+")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def positions(text: str) -> dict[Path, int]:
    """The line, from 1, of every key, table and array element."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.found


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """The line of a path, or of the innermost table around it that is written down."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [index for index, character in enumerate(text) if character == "\n"]
        self._lengths: dict[Path, int] = {}
        """Of the arrays of tables."""
        self.found: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._skip(_VOID):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line = self._line()
        is_array = self._text.startswith("[[", self._at)
        self._at += 1 + is_array
        keys = self._key()
        self._at += 1 + is_array
        path: Path = ()
        for key in keys[:-1]:
            path = self._last((*path, key))
            self.found.setdefault(path, line)
        path = (*path, keys[-1])
        self.found.setdefault(path, line)
        if is_array:
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
            self.found[path] = line
        return path

    def _last(self, path: Path) -> Path:
        """A path through an array of tables means the newest of them."""
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._key():
            path = (*path, key)
            self.found.setdefault(path, line)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        """The parts of a key; stands at what follows it afterwards."""
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            if self._text[self._at] in "\"'":
                parts.append(next(iter(tomllib.loads(f"{self._string()} = 0"))))
            else:
                parts.append(self._take(_BARE))
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        first = self._text[self._at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._skip(_VOID) and self._text[self._at] != "]":
            self.found[(*path, index)] = self._line()
            self._value((*path, index))
            index += 1
            self._comma()
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._skip(_VOID) and self._text[self._at] != "}":
            self._pair(path)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        if self._skip(_VOID) and self._text[self._at] == ",":
            self._at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            if match := pattern.match(self._text, self._at):
                self._at = match.end()
                return match[0]
        raise ValueError(f"no string at line {self._line()}")

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"not TOML at line {self._line()}")
        self._at = match.end()
        return match[0]

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Go over what may be skipped; False at the end of the document."""
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _line(self) -> int:
        return bisect_right(self._newlines, self._at - 1) + 1
