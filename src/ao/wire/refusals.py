"""What is wrong with a document, field by field, in the words of the API."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ao.domain.errors import InvalidInput, Problem
from ao.wire.access import KEY_ID, KEY_NAME
from ao.wire.schemas import AGENT_NAME, ENV_NAME, NO_NUL, SESSION_ID

_SHOULD = re.compile(r"^(Input|Value|String|List|Dictionary|Data) should ")
_IN_WORDS = {
    AGENT_NAME: "must be up to 63 lower-case letters, digits and dashes, a letter first",
    ENV_NAME: "must be up to 128 letters, digits and _, not a digit first",
    SESSION_ID: "must be up to 128 letters, digits and . _ : @ -, a letter or digit first",
    KEY_NAME: "must be up to 63 letters, digits and . _ @ -, a letter or digit first",
    KEY_ID: "must be an id: 32 hexadecimal digits and 4 dashes",
    NO_NUL: "must not have a NUL character",
}
"""What the patterns of the API ask for, for people."""


def refused(error: ValidationError, model: type[BaseModel], document: object) -> InvalidInput:
    """One error for all that a model refuses in a document."""
    return invalid([refusal(entry, entry["loc"], model, document) for entry in error.errors(include_url=False)])


def invalid(problems: Sequence[Problem]) -> InvalidInput:
    """One error for all that is wrong with a request."""
    first = problems[0]
    message = f"{first.field}: {first.message}" if first.field else first.message
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InvalidInput(message + more, hint=first.hint, problems=problems)


def refusal(
    entry: ErrorDetails,
    path: Sequence[int | str],
    model: type[BaseModel] | None,
    document: object,
    what: str = "field",
) -> Problem:
    """One entry of a validator. `path` is where in the document, as far as the validator can tell: names of
    alternatives that it tried are left out, when there is a document to compare with."""
    kind, last = entry["type"], str(path[-1]) if path else ""
    written = _written(path[:-1], document) if path else []
    field = ".".join([*written, last] if path and _is_part(path, kind, document) else written)
    if kind == "extra_forbidden":
        return Problem(field, f"unknown {what}", nearest(last, _names(model, written)))
    if kind == "missing":
        return Problem(field, "is required", entry.get("ctx", {}).get("hint", ""))
    if kind == "string_pattern_mismatch":
        pattern = entry["ctx"]["pattern"]
        return Problem(field, _IN_WORDS.get(pattern, f"does not match {pattern}"))
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return Problem(field, "must be an object")
    message = str(entry["ctx"]["error"]) if kind == "value_error" else str(entry["msg"])
    message = _SHOULD.sub("must ", message)
    return Problem(field, message[:1].lower() + message[1:])


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant, or all there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(names))}" if names else ""


def _written(path: Sequence[int | str], document: object) -> list[str]:
    """The part of a path that the document has; all of it without a document."""
    if document is None:
        return [str(key) for key in path]
    found: list[str] = []
    for key in path:
        if _has(document, key):
            document = document[key]  # type: ignore[index]
            found.append(str(key))
    return found


def _has(document: object, key: int | str) -> bool:
    if isinstance(document, list):
        return isinstance(key, int) and key < len(document)
    return isinstance(document, dict) and key in document


def _is_part(path: Sequence[int | str], kind: str, document: object) -> bool:
    """Whether the last word of a path is one of the document, and not of an alternative."""
    if document is None or kind == "missing":
        return True
    for key in path[:-1]:
        document = document[key] if _has(document, key) else document  # type: ignore[index]
    return _has(document, path[-1])


def _names(model: type[BaseModel] | None, path: Sequence[str]) -> list[str]:
    """The fields of the model that stands at a path below another."""
    for key in path:
        if model is None or key not in model.model_fields:
            return []
        model = _model_in(model.model_fields[key].annotation)
    return [] if model is None else [info.alias or name for name, info in model.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
