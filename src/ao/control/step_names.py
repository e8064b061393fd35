"""Whether the code of one release still has the steps that the code of another one has recorded."""

import re
from collections.abc import Iterable, Mapping

from ao.domain.step import Step, StepKind


def names_of(steps: Iterable[Step]) -> set[str]:
    return {step.name for step in steps if step.kind is StepKind.STEP and step.completed}


def gone(names: Iterable[str], before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names that the code before has as a text or as a function, and the code after has not. One that code
    puts together is to be found in neither, and is not among them."""
    old, new = "\n".join(before.values()), "\n".join(after.values())
    return sorted(name for name in names if _has(old, name) and not _has(new, name))


def _has(code: str, name: str) -> bool:
    word = re.escape(name)
    return re.search(rf"""(["']){word}\1|\bdef\s+{word}\s*\(""", code) is not None
