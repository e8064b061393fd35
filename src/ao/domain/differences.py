"""What differs between two JSON documents, value by value."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue as Json


@dataclass(frozen=True, slots=True)
class Difference:
    path: str
    """Dotted; a key that has a dot itself stands as it is."""
    before: Json
    """None where it was not there."""
    after: Json
    diff: str = ""
    """Unified, where both are text of several lines."""


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> Sequence[Difference]:
    return list(_between(before, after, ""))


def _between(before: Mapping[str, Json], after: Mapping[str, Json], prefix: str) -> Iterator[Difference]:
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        path = f"{prefix}{key}"
        if isinstance(old, dict | None) and isinstance(new, dict | None) and old != new and (old or new):
            yield from _between(old or {}, new or {}, f"{path}.")
        elif old != new:
            yield Difference(path, old, new, _lines(path, old, new))


def _lines(path: str, old: object, new: object) -> str:
    if not (isinstance(old, str) and isinstance(new, str) and ("\n" in old or "\n" in new)):
        return ""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), f"a/{path}", f"b/{path}", lineterm="", n=3)
    return "".join(f"{line}\n" for line in lines)
