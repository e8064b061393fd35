"""A form for the answer to a question, made from its JSON Schema; and the answer from what was filled in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import JsonValue

from ao.dashboard.parameters import json_in
from ao.domain.errors import InvalidInput, Problem

ROOT = "answer"
"""Name of the field of an answer that is no object; of an object they are `answer.NAME`, as in problems."""
LONG_CHARACTERS = 200
"""A text that may be longer gets more than one line."""
MOST_CHOICES = 6
"""More are a list that opens."""


class Control(StrEnum):
    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    LIST = "list"
    JSON = "json"
    ANYTHING = "anything"
    """JSON, or else text as it is: there is no schema."""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    control: Control
    required: bool = True
    about: str = ""
    choices: Sequence[tuple[str, str]] = ()
    """(value as JSON, what is shown)."""
    limits: Mapping[str, object] = field(default_factory=dict)
    """Attributes of the control that browsers check."""
    value: str = ""
    problem: str = ""


def fields_of(schema: object) -> list[Field]:
    """Plain controls for text, numbers, truth values, choices and an object of them; else JSON."""
    if not isinstance(schema, dict) or not schema:
        return [Field(ROOT, "Answer", Control.ANYTHING)]
    properties = schema.get("properties")
    if schema.get("type") == "object" and isinstance(properties, dict) and properties:
        required = schema.get("required", [])
        fields = [
            _field(f"{ROOT}.{name}", name, found, required=name in required)
            for name, found in properties.items()
        ]
        return sorted(fields, key=lambda each: not each.required)
    return [_field(ROOT, "answer", schema, required=True)]


def _field(name: str, key: str, schema: object, *, required: bool) -> Field:
    given: dict[str, Any] = schema if isinstance(schema, dict) else {}
    label = str(given.get("title") or key.replace("_", " ").capitalize())
    about = str(given.get("description", ""))
    control, choices, limits = _control(given)
    value = ""
    if "default" in given:
        value = _shown(given["default"], control)
    return Field(name, label, control, required, about, choices, limits, value)


def _control(schema: dict[str, Any]) -> tuple[Control, list[tuple[str, str]], dict[str, object]]:
    known = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(known, list) and known and all(not isinstance(each, dict | list) for each in known):
        choices = [(_dump(each), each if isinstance(each, str) else _dump(each)) for each in known]
        return (Control.CHOICE if len(known) <= MOST_CHOICES else Control.LIST), choices, {}
    match schema.get("type"):
        case "boolean":
            return Control.CHOICE, [("true", "yes"), ("false", "no")], {}
        case "string":
            most = schema.get("maxLength")
            limits = {"maxlength": most, "minlength": schema.get("minLength")}
            short = isinstance(most, int) and most <= LONG_CHARACTERS
            return (Control.LINE if short else Control.TEXT), [], _given(limits)
        case "integer" | "number" as kind:
            limits = {"min": schema.get("minimum"), "max": schema.get("maximum")}
            return Control.NUMBER, [], {"step": 1 if kind == "integer" else "any", **_given(limits)}
    return Control.JSON, [], {}


def _given(limits: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in limits.items() if isinstance(value, int | float)}


def read(fields: Sequence[Field], form: Mapping[str, str]) -> JsonValue:
    """The answer, without what was left empty and need not be given. Raises InvalidInput, field by field."""
    values: dict[str, JsonValue] = {}
    problems: list[Problem] = []
    for each in fields:
        text = form.get(each.name, "")
        if not text and (not each.required or each.control is not Control.TEXT):
            if each.required:
                problems.append(Problem(each.name, "is needed"))
            continue
        try:
            values[each.name] = _value(each, text)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput("the answer is not complete", problems=problems)
    if [each.name for each in fields] == [ROOT]:
        return values[ROOT]
    return {name.removeprefix(f"{ROOT}."): value for name, value in values.items()}


def _value(asked: Field, text: str) -> JsonValue:
    match asked.control:
        case Control.LINE | Control.TEXT:
            return text.replace("\r\n", "\n")
        case Control.ANYTHING:
            try:
                return json_in(text, asked.name)
            except InvalidInput:
                return text.replace("\r\n", "\n")
        case Control.NUMBER:
            value = json_in(text, asked.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                problem = Problem(asked.name, "is not a number")
                raise InvalidInput(problem.message, problems=[problem])
            return value
        case _:
            return json_in(text, asked.name)


def with_problems(
    fields: Sequence[Field], form: Mapping[str, str], problems: Sequence[Problem]
) -> tuple[list[Field], list[Problem]]:
    """(the fields as they were filled in, each with what is wrong with it; what belongs to none of them)."""
    said: dict[str, str] = {}
    rest = []
    names = {each.name for each in fields}
    for problem in problems:
        # A problem inside of a field that takes JSON is that field's.
        owner = next((name for name in names if f"{problem.field}.".startswith(f"{name}.")), None)
        if owner is None:
            rest.append(problem)
        else:
            inside = problem.field.removeprefix(owner).lstrip(".")
            said[owner] = f"{inside}: {problem.message}" if inside else problem.message
    filled = [replace(each, value=form.get(each.name, ""), problem=said.get(each.name, "")) for each in fields]
    return filled, rest


def _shown(value: object, control: Control) -> str:
    return value if isinstance(value, str) and control in (Control.LINE, Control.TEXT) else _dump(value)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
