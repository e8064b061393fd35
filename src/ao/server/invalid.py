"""What is wrong with a request, field by field: pydantic's findings in AO's words."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ao.domain.errors import InvalidInput, Problem


def invalid(problems: Sequence[Problem]) -> InvalidInput:
    """One error for all that is wrong with a request."""
    first = problems[0]
    message = f"{first.field}: {first.message}" if first.field else first.message
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InvalidInput(message + more, hint=first.hint, problems=problems)


def problem_of(
    entry: Mapping[str, Any], path: Sequence[int | str], known: Iterable[str], what: str = "field"
) -> Problem:
    """One of a ValidationError's entries. `known` are the names that could have been meant."""
    field = ".".join(str(part) for part in path)
    kind = entry["type"]
    if kind == "extra_forbidden":
        return Problem(field, f"unknown {what}", _nearest(field, known))
    if kind == "json_invalid":
        return Problem("", f"the request body is not JSON: {entry['ctx']['error']}")
    if kind == "missing":
        return Problem(field, "is required")
    if kind == "string_pattern_mismatch":
        return Problem(field, f"does not match {entry['ctx']['pattern']}")
    message = str(entry["msg"])
    return Problem(field, message[:1].lower() + message[1:])


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(names))}"
