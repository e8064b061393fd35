"""Writes `src/ao/image/requirements.lock`: what AO itself needs of `locks/dev.txt`.

So images have what is tested.
"""

import re
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DEV_LOCK = ROOT / "locks" / "dev.txt"
TARGET = ROOT / "src" / "ao" / "image" / "requirements.lock"
DISTRIBUTION = "ao-platform"


def rendered() -> str:
    pins = dict(_pins(DEV_LOCK.read_text("utf-8")))
    return "".join(pins[name] for name in sorted(_needed(pins.keys())))


def _pins(text: str) -> Iterator[tuple[str, str]]:
    """Name and text of each pin; a package that has several has them all."""
    found: dict[str, str] = {}
    for block in re.findall(r"^[A-Za-z0-9][^\n]*\n(?:[ \t][^\n]*\n)*", text, re.MULTILINE):
        name = canonicalize_name(re.split(r"[=\[ ]", block, maxsplit=1)[0])
        found[name] = found.get(name, "") + block
    yield from found.items()


def _needed(locked: Collection[str]) -> set[str]:
    """What AO requires, and what that requires, on whatever Python: the lock says what is for which."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(DISTRIBUTION, frozenset[str]())]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            listed = requires(name) or []
        except PackageNotFoundError:  # for another Python than this one
            continue
        for requirement in map(Requirement, listed):
            child = canonicalize_name(requirement.name)
            if child in locked and _wanted(requirement, extras):
                waiting.append((child, frozenset(requirement.extras)))
    return {name for name, _ in seen} - {DISTRIBUTION}


def _wanted(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    if marker is None or "extra ==" not in str(marker):
        return True
    return any(marker.evaluate({"extra": extra}) for extra in extras)


def main() -> int:
    TARGET.write_text(rendered(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
