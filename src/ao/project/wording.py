"""What is wrong with an `ao.toml`, in words for the person who wrote it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ao.domain.agent_config import AgentConfig
from ao.project.nearest import did_you_mean
from ao.project.positions import Path


@dataclass(frozen=True, slots=True)
class Finding:
    path: Path
    message: str
    hint: str = ""


_FIELDS = {
    ("sandbox", "network"): 'must be "none", "models", "full" or a list of hosts',
    ("models", "*"): 'must be "provider/model" or a table of settings',
    ("input_schema",): "must be a table, or the name of a .json file",
    ("retries",): "must be a number, or a table such as { max_retries = 3 }",
}
_TYPES = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list in [ ]",
    "dict_type": "a table",
    "model_type": "a table",
}
_NAMES = {str: "text", bool: "true/false", int: "a number", float: "a number", list: "a list", dict: "a table"}


def findings(error: ValidationError, data: Mapping[str, object]) -> list[Finding]:
    """One finding per field, whatever number of alternatives the validator tried."""
    found: dict[Path, Finding] = {}
    for detail in error.errors(include_url=False):
        finding = _finding(detail, data)
        found.setdefault(finding.path, finding)
    hints = {finding.hint for finding in found.values()}
    return [
        finding for path, finding in found.items() if path != ("name",) or "did you mean name?" not in hints
    ]


def _finding(detail: ErrorDetails, data: Mapping[str, object]) -> Finding:
    kind = detail["type"]
    path = _written(detail["loc"], data)
    if kind == "extra_forbidden":
        return _unknown(path, detail["input"])
    if kind == "missing":
        return _missing((*path, str(detail["loc"][-1])))
    for pattern, message in _FIELDS.items():
        matches = len(path) == len(pattern) and all(p in ("*", k) for p, k in zip(pattern, path, strict=True))
        if matches and (kind in _TYPES or kind == "literal_error"):
            return Finding(path, f"{dotted(path)} {message}{_instead(detail['input'], data, path)}")
    if kind in _TYPES:
        wrong = _instead(detail["input"], data, path)
        return Finding(path, f"{dotted(path)} must be {_TYPES[kind]}{wrong}")
    return Finding(path, f"{dotted(path)}{_constraint(detail)}")


def _written(loc: tuple[int | str, ...], data: object) -> Path:
    """The part of a validator's location that exists in the document."""
    path: list[str | int] = []
    for key in loc:
        inside = (isinstance(data, dict) and key in data) or (
            isinstance(data, list) and isinstance(key, int) and key < len(data)
        )
        if not inside:
            break
        data = data[key]  # type: ignore[index]
        path.append(key)
    return tuple(path)


def _constraint(detail: ErrorDetails) -> str:
    context: dict[str, Any] = detail.get("ctx", {})
    match detail["type"]:
        case "greater_than":
            return f" must be above {context['gt']:g}"
        case "greater_than_equal":
            return f" must be at least {context['ge']:g}"
        case "less_than_equal":
            return f" must be at most {context['le']:g}"
        case "string_pattern_mismatch":
            return f" must be lower-case letters, digits and dashes, a letter first; not {detail['input']!r}"
        case "string_too_long":
            return f" has at most {context['max_length']} characters"
        case "too_short":
            return " must not be empty"
        case "literal_error":
            return f" must be {context['expected'].replace(chr(39), chr(34))}"
        case "value_error":
            return f": {context['error']}" if detail["loc"] else str(context["error"])
        case _:
            return f": {detail['msg']}"


def _instead(value: object, data: object, path: Path) -> str:
    """What is there in place of what should be."""
    for key in path:
        data = data[key]  # type: ignore[index]
    name = _NAMES.get(type(data), "a date or time")
    return f", not {name}" if not isinstance(value, str) or isinstance(data, str) else ""


def _missing(path: Path) -> Finding:
    field = AgentConfig.model_fields.get(str(path[-1])) if len(path) == 1 else None
    hint = f'add {path[-1]} = "…": {field.description}' if field and field.description else ""
    return Finding(path, f"{dotted(path)} is missing", hint)


def _unknown(path: Path, value: object) -> Finding:
    name, table = str(path[-1]), path[:-1]
    known = _known(table)
    message = f"unknown field {dotted(path)}"
    for other in _homes(name):
        if other == "":
            return Finding(path, message, f"{name} belongs at the top, above the first [table]")
        if other != dotted(table):
            return Finding(path, message, f"{name} belongs in [{other}]")
    if near := did_you_mean(name, known):
        return Finding(path, message, near)
    where = f"[{dotted(table)}]" if table else "the top level"
    return Finding(path, message, f"{where} has {', '.join(known)}")


def _known(table: Path) -> list[str]:
    model: type[BaseModel] = AgentConfig
    for key in table:
        annotation = model.model_fields[str(key)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _homes(name: str) -> Iterator[str]:
    """The tables that have a field of this name; the empty name is the top level."""
    if name in AgentConfig.model_fields:
        yield ""
    for section in AgentConfig.model_fields:
        if name in _known((section,)):
            yield section


def dotted(path: Path) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text
