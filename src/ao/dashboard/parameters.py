"""What a URL or a form says, checked."""

import json
import re
from collections.abc import Mapping

from pydantic import JsonValue

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


def version_or_none_in(fields: Mapping[str, str], name: str) -> int | None:
    """The version in a field, or None where it is empty. Raises InvalidInput."""
    return version_in(fields, name) if fields.get(name, "").strip() else None


def from_start_in(fields: Mapping[str, str]) -> bool:
    """Whether a replay begins at the start, and not at the last checkpoint. Raises InvalidInput."""
    begin = fields.get("begin", "checkpoint")
    if begin not in ("checkpoint", "start"):
        problem = Problem("begin", "is `checkpoint` or `start`")
        raise InvalidInput(f"begin {problem.message}", hint="go back and choose one", problems=[problem])
    return begin == "start"


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


def json_in(text: str, name: str) -> JsonValue:
    """JSON that somebody typed into a field. Raises InvalidInput with its line and column."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        said = f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"{name} {said}", problems=[Problem(name, said)]) from error
    except (ValueError, RecursionError) as error:
        said = f"is not JSON: {error}"
        raise InvalidInput(f"{name} {said}", problems=[Problem(name, said)]) from error
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")
