"""The reference of `ao.toml`, from the model that reads it."""

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ao.domain.agent_config import AgentConfig

Schema = dict[str, Any]
_SIZES = {"memory", "disk", "output", "tmp"}
_WORDS = {"string": "text", "boolean": "true or false", "integer": "whole number"}
_REQUIRED = object()
_DURATIONS = {
    "patience",
    "timeout",
    "run_timeout",
    "queue_timeout",
    "step_timeout",
    "catch_up",
    "initial_delay",
    "max_delay",
}


def fields() -> str:
    sections = {name: kind for name, info in AgentConfig.model_fields.items() if (kind := _section(info))}
    plain = {name: info for name, info in AgentConfig.model_fields.items() if name not in sections}
    text = ["## Top level", "", _table(AgentConfig, plain, {n: _plain_default(i) for n, i in plain.items()})]
    for name, kind in sections.items():
        info = AgentConfig.model_fields[name]
        intro = " ".join(filter(None, [(kind.__doc__ or "").strip(), info.description]))
        defaults = info.get_default(call_default_factory=True, validated_data={}).model_dump()
        text += ["", f"## `[{name}]`", "", intro, "", _table(kind, kind.model_fields, defaults)]
    return "\n".join(text)


def _section(info: FieldInfo) -> type[BaseModel] | None:
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _plain_default(info: FieldInfo) -> object:
    return _REQUIRED if info.is_required() else info.get_default(call_default_factory=True, validated_data={})


def _table(model: type[BaseModel], chosen: Mapping[str, FieldInfo], defaults: Mapping[str, object]) -> str:
    properties = cast("Schema", model.model_json_schema()["properties"])
    rows = ["| field | value | default | |", "|---|---|---|---|"]
    for name, info in chosen.items():
        kind = _kind(name, properties[name]).replace("|", "\\|")
        meaning = (info.description or "").replace("|", "\\|")
        rows.append(f"| `{name}` | {kind} | {_shown(name, defaults.get(name))} | {meaning} |")
    return "\n".join(rows)


def _shown(name: str, value: object) -> str:
    if value is _REQUIRED:
        return "**required**"
    if value in (None, "", [], {}):
        return "—"
    if name in _SIZES and isinstance(value, int):
        return f"`{_bytes(value)}`"
    if name in _DURATIONS:
        return f'`"{value:g}s"`'
    return f"`{json.dumps(value)}`"


def _bytes(value: int) -> str:
    for unit, power in (("G", 30), ("M", 20), ("K", 10)):
        if value % (1 << power) == 0:
            return f'"{value >> power}{unit}"'
    return str(value)


def _kind(name: str, schema: Schema) -> str:
    if name in _SIZES:
        return 'size, such as `"512M"`'
    if name in _DURATIONS:
        return 'duration, such as `"30s"`'
    return _of(schema)


def _of(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(_of(option) for option in schema["anyOf"] if option.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f'`"{value}"`' for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_of(schema.get('items', {}))}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"table of {_of(values)}" if isinstance(values, dict) and values else "table"
    return _WORDS.get(kind, str(kind))
