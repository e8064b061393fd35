"""Messages ↔ the models that requests are read into and the views that answers are made of.

A field has the same name on both sides, or its name and `_json`: then it is a JSON value as text. An enum's
value is the domain's word behind the enum's name. What a request leaves out is left to the model's default.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import pydantic_core
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet
from pydantic import BaseModel, ValidationError

from ao.clock import from_datetime
from ao.domain.errors import Problem
from ao.wire.refusals import invalid, refused

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=BaseModel)

_TIMESTAMP: str = Timestamp.DESCRIPTOR.full_name
_RENAMED = {"from_version": "frm"}
"""Where a view's name is a keyword of many languages."""


def read(message: Message, model: type[R]) -> R:
    """Raises InvalidInput with one problem per wrong field."""
    problems: list[Problem] = []
    values = _values(message, "", problems)
    if problems:
        raise invalid(problems)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refused(error, model, values) from error


def _values(message: Message, path: str, problems: list[Problem]) -> dict[str, Any]:
    for unknown in UnknownFieldSet(message):  # type: ignore[attr-defined]
        where = path.rstrip(".")
        problems.append(Problem(where, f"unknown field number {unknown.field_number}", _NEWER))
    values: dict[str, Any] = {}
    for field, value in message.ListFields():
        where = path + field.name
        if field.is_repeated:
            values[field.name] = [_value(field, item, where, problems) for item in value]
        elif field.name.endswith("_json"):
            values[field.name.removesuffix("_json")] = _from_json(value, where, problems)
        else:
            values[field.name] = _value(field, value, where, problems)
    return values


_NEWER = "this server is older than the .proto of the client"


def _value(field: FieldDescriptor, value: Any, where: str, problems: list[Problem]) -> Any:
    if field.enum_type is not None:
        word = words_of(field.enum_type).get(value)
        if word is None:
            known = ", ".join(entry.name for entry in field.enum_type.values[1:])
            problems.append(Problem(where, f"{value} is no value of {field.enum_type.name}", f"known: {known}"))
        return word
    if field.message_type is None:
        return value
    if field.message_type.full_name == _TIMESTAMP:
        return _instant(value, where, problems)
    return _values(value, f"{where}.", problems)


def _from_json(text: str, where: str, problems: list[Problem]) -> Any:
    try:
        return pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        problems.append(Problem(where, f"is not JSON: {error}"))
        return None


def _instant(value: Timestamp, where: str, problems: list[Problem]) -> datetime | None:
    try:
        return value.ToDatetime(UTC)
    except (ValueError, OverflowError):
        problems.append(Problem(where, "is no instant of the years 1 to 9999"))
        return None


@functools.cache
def words_of(enum: EnumDescriptor) -> Mapping[int, str]:
    """The domain's word of each value but the unspecified one."""
    prefix = len(enum.values_by_number[0].name.removesuffix("UNSPECIFIED"))
    return {entry.number: entry.name[prefix:].lower() for entry in enum.values if entry.number}


@functools.cache
def numbers_of(enum: EnumDescriptor) -> Mapping[str, int]:
    return {word: number for number, word in words_of(enum).items()}


# --- answers ---------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """How one field of a message is filled."""

    source: str
    fill: Callable[[Any, Any], None]
    """(message, value)."""


def write(view: object, kind: type[M]) -> M:
    """A message of this kind with the attributes of the view. What is None stays absent."""
    message = kind()
    _fill(message, view)
    return message


def _fill(message: Any, view: object) -> None:
    steps = _steps(message.DESCRIPTOR)
    if isinstance(view, tuple):  # in the order of the fields
        for step, value in zip(steps, view, strict=True):
            step.fill(message, value)
        return
    for step in steps:
        value = getattr(view, step.source, None)
        if value is not None:
            step.fill(message, value)


@functools.cache
def _steps(kind: Descriptor) -> Sequence[_Step]:
    return [_step(field) for field in kind.fields]


def source_of(field: FieldDescriptor) -> str:
    """The attribute of a view that a field is filled from."""
    return _RENAMED.get(field.name, field.name.removesuffix("_json"))


def _step(field: FieldDescriptor) -> _Step:
    name = field.name
    fill: Callable[[Any, Any], None]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of_messages = field.message_type.fields_by_name["value"].message_type is not None
        fill = _filled_map(name) if of_messages else lambda message, value: getattr(message, name).update(value)
    elif field.message_type is not None and field.message_type.full_name == _TIMESTAMP:
        fill = lambda message, value: set_instant(getattr(message, name), from_datetime(value))  # noqa: E731
    elif field.message_type is not None:
        fill = _filled_list(name) if field.is_repeated else _filled(name)
    elif field.enum_type is not None:
        numbers = numbers_of(field.enum_type)
        fill = lambda message, value: setattr(message, name, numbers.get(str(value), 0))  # noqa: E731
    elif name.endswith("_json"):
        fill = lambda message, value: setattr(message, name, to_json(value))  # noqa: E731
    elif field.is_repeated:
        fill = lambda message, value: getattr(message, name).extend(value)  # noqa: E731
    else:
        fill = functools.partial(_set, name)
    return _Step(source_of(field), fill)


def _set(name: str, message: Any, value: Any) -> None:
    try:
        setattr(message, name, value)
    except UnicodeEncodeError:  # an agent may have put a lone surrogate into a text
        setattr(message, name, value.encode("utf-8", "replace").decode())


def _filled(name: str) -> Callable[[Any, Any], None]:
    def fill(message: Any, value: Any) -> None:
        inner = getattr(message, name)
        inner.SetInParent()
        _fill(inner, value)

    return fill


def _filled_list(name: str) -> Callable[[Any, Any], None]:
    def fill(message: Any, value: Any) -> None:
        items = getattr(message, name)
        for item in value:
            _fill(items.add(), item)

    return fill


def _filled_map(name: str) -> Callable[[Any, Any], None]:
    def fill(message: Any, value: Any) -> None:
        entries = getattr(message, name)
        for key, item in value.items():
            _fill(entries[key], item)

    return fill


def set_instant(stamp: Timestamp, instant_us: int) -> None:
    stamp.seconds, microseconds = divmod(instant_us, 1_000_000)
    stamp.nanos = microseconds * 1000


def to_json(value: object) -> str:
    """JSON text. A lone surrogate that an agent made leaves escaped, as it came."""
    try:
        return pydantic_core.to_json(value).decode()
    except pydantic_core.PydanticSerializationError:
        return json.dumps(value, separators=(",", ":"))
