"""What a `.dockerignore` keeps out of a build, as Docker reads it: of the lines that match a file or a
directory above it, the last one decides."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import re2

from ao.domain.errors import InvalidInput

NAME = ".dockerignore"
MAX_LINES = 1000


@dataclass(frozen=True, slots=True)
class _Rule:
    keeps: bool
    pattern: Any
    """Of a whole path."""


class DockerIgnore:
    def __init__(self, rules: list[_Rule], needed: frozenset[str] = frozenset()) -> None:
        """`needed`: files that the builder reads, whatever the rules say; it keeps them from being copied."""
        self._rules = rules
        self._needed = needed

    def excludes(self, path: str) -> bool:
        if path in self._needed:
            return False
        excluded = False
        for rule in self._rules:
            if rule.keeps == excluded and rule.pattern.fullmatch(path):
                excluded = not rule.keeps
        return excluded


def beside(dockerfile: Path) -> DockerIgnore:
    """The rules for a build: of the file that has the Dockerfile's name before it, or of the directory's.
    Raises `InvalidInput`."""
    own = dockerfile.name + NAME
    for name in (own, NAME):
        file = dockerfile.with_name(name)
        if file.is_file():
            return DockerIgnore(list(_rules(file)), frozenset({dockerfile.name, name}))
    return DockerIgnore([])


def _rules(file: Path) -> Iterator[_Rule]:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except ValueError as error:
        raise InvalidInput(f"{file.name} is not text in UTF-8: {error}") from error
    if len(lines) > MAX_LINES:
        raise InvalidInput(f"{file.name} has more than {MAX_LINES:,} lines", hint="name directories, not files")
    for number, line in enumerate(lines, 1):
        try:
            yield from _rule(line)
        except (ValueError, re2.error) as error:
            raise InvalidInput(
                f"{file.name}, line {number}: {line.strip()!r} is no pattern: {error}"
            ) from error


def _rule(line: str) -> Iterator[_Rule]:
    text = line.strip()
    if line.startswith("#") or not text:
        return
    keeps, text = text.startswith("!"), text.removeprefix("!").strip()
    if not text:
        raise ValueError("nothing follows the !")
    pattern = _expression(posixpath.normpath(text).lstrip("/"))
    options = re2.Options()
    options.log_errors = False
    yield _Rule(keeps, re2.compile(f"(?s)(?:{pattern})(?:/.*)?", options))


def _expression(pattern: str) -> str:
    """`*` and `?` match within a name, `**` any directories, `[a-z]` and `[^a-z]` one character, `\\` makes the
    next one ordinary."""
    made, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*" and pattern.startswith("*", at):
            at += 2 if pattern.startswith("/", at + 1) else 1
            made.append(".*" if at >= len(pattern) else "(?:.*/)?")
        elif character == "*":
            made.append("[^/]*")
        elif character == "?":
            made.append("[^/]")
        elif character == "[":
            end = _end_of_class(pattern, at)
            made.append(f"[{pattern[at:end]}]")
            at = end + 1
        elif character == "\\":
            if at == len(pattern):
                raise ValueError("nothing follows the \\")
            made.append(re2.escape(pattern[at]))
            at += 1
        else:
            made.append(re2.escape(character))
    return "".join(made)


def _end_of_class(pattern: str, at: int) -> int:
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    if at >= len(pattern):
        raise ValueError("a [ is not closed")
    return at
