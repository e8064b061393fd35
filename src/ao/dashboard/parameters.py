"""What a URL or a form says, checked."""

import re
from collections.abc import Mapping

from ao.domain.errors import InvalidInput, NotFound, Problem
from ao.ids import RunId
from ao.wire.schemas import MAX_VERSION

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def version_of(text: str) -> int | None:
    """`3` or `v3`; None when it is no version."""
    digits = text.strip().removeprefix("v")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else 0
    return number if 1 <= number <= MAX_VERSION else None


def version_in(fields: Mapping[str, str], name: str) -> int:
    """The version in a field. Raises InvalidInput."""
    number = version_of(fields.get(name, ""))
    if number is None:
        problem = Problem(name, "is not a version such as 3 or v3")
        raise InvalidInput(f"{name} {problem.message}", hint="go back and choose one", problems=[problem])
    return number


def version_in_path(path: Mapping[str, str]) -> int:
    """The version that a page is about. Raises NotFound."""
    number = version_of(path["version"])
    if number is None:
        raise NotFound(f"{path['version']} is not a version", hint="versions are numbers, such as 3")
    return number


def run_id_in(fields: Mapping[str, str], name: str) -> RunId | None:
    """A run's id, or None for anything else: a cursor that somebody changed starts at the newest."""
    text = fields.get(name, "")
    return RunId(text) if _UUID.fullmatch(text) else None
