"""Which code was measured: figures of two versions must never be mixed into one."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Changed(Exception):
    """The source was edited while it was measured: the figures belong to no version."""


def digest() -> str:
    """Of every Python file of AO and its runner as they are now."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "src").rglob("*.py")):
        found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def unchanged_since(before: str) -> str:
    """The digest, when it is still `before`. Raises Changed."""
    now = digest()
    if now != before:
        raise Changed(f"src/ was {before} at the start and is {now} now; measure a copy that nobody edits")
    return now
