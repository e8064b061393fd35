"""What types alone cannot say about an `ao.toml`, without looking at files."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from zoneinfo import available_timezones

import jsonschema_rs

from ao.domain.agent_config import AgentConfig
from ao.project.nearest import did_you_mean
from ao.project.positions import Path
from ao.project.wording import Finding, dotted
from ao.timetable import Timetable

_PYTHON = re.compile(r"^3\.\d{1,2}(\.\d{1,2})?$")
_NODE = re.compile(r"^\d{1,3}$")
_PACKAGE = re.compile(r"^[a-z0-9][a-z0-9+.-]*$")
_MODEL = re.compile(r"^[A-Za-z0-9._-]+/\S+$")
_HOST = re.compile(r"^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_-]+(:\d{1,5})?$")
_ANY_CRON = "0 0 * * *"
_LARGEST = 2**53 - 1
"""Of the integers that JSON carries everywhere."""


def check(config: AgentConfig, data: Mapping[str, object]) -> Iterator[Finding]:
    yield from _json(data, ())
    yield from _schedule(config)
    yield from _pythons(config)
    yield from _names(config)
    yield from _models(config)
    yield from _network(config)
    is_above = config.run_timeout is not None and config.timeout > config.run_timeout
    if is_above and "timeout" in config.model_fields_set:
        yield Finding(
            ("timeout",), f"timeout ({config.timeout:g} s) is above run_timeout ({config.run_timeout} s)"
        )
    if isinstance(config.input_schema, dict):
        yield from schema(config.input_schema, ("input_schema",))


def schema(value: object, path: Path) -> Iterator[Finding]:
    """Whether a value is a JSON Schema that needs nothing from elsewhere."""
    try:
        jsonschema_rs.validator_for(value, offline=True)  # type: ignore[arg-type]
    except ValueError as error:
        message = str(error).splitlines()[0]
        hint = "only references within the schema are followed" if "$ref" in repr(value) else ""
        place = (*path, *getattr(error, "instance_path", ()))
        yield Finding(place, f"{dotted(place)} is not valid in a JSON Schema: {message}", hint)


def _json(value: object, path: Path) -> Iterator[Finding]:
    """TOML values that JSON does not have."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _json(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _json(item, (*path, index))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Finding(path, f"{dotted(path)} must be a finite number")
    elif isinstance(value, int) and abs(value) > _LARGEST:
        yield Finding(path, f"{dotted(path)} is beyond {_LARGEST}", "write it as text")
    elif isinstance(value, date | datetime | time):
        yield Finding(path, f"{dotted(path)} is a date or time, which JSON does not have", "put it in quotes")


def _schedule(config: AgentConfig) -> Iterator[Finding]:
    problem = Timetable(config.cron or _ANY_CRON, config.timezone).problem()
    if problem is not None and problem.field == "timezone":
        hint = did_you_mean(config.timezone, available_timezones()) or problem.hint
        yield Finding(("timezone",), f"timezone {config.timezone!r} is not an IANA time zone", hint)
        problem = Timetable(config.cron or _ANY_CRON).problem()
    if problem is not None:
        yield Finding((problem.field,), problem.message, problem.hint)
    if config.cron is None and config.cron_input:
        yield Finding(("cron_input",), "cron_input is given without cron")


def _pythons(config: AgentConfig) -> Iterator[Finding]:
    for path, value in ((("python",), config.python), (("build", "python"), config.build.python)):
        if value is not None and not _PYTHON.match(value):
            yield Finding(path, f"{dotted(path)} {value!r} is not a version", 'such as "3.12" or "3.12.4"')
        elif value is not None and int(value.split(".")[1]) < 9:
            yield Finding(path, f"{dotted(path)} {value} is too old", "agents run on Python 3.9 and newer")
    both = (config.python, config.build.python)
    if None not in both and both[0] != both[1]:
        yield Finding(("build", "python"), f"build.python is {both[1]}, but python is {both[0]}", "keep one")
    if config.build.node is not None and not _NODE.match(config.build.node):
        yield Finding(
            ("build", "node"), f"build.node {config.build.node!r} is not a major version", 'such as "22"'
        )
    for index, package in enumerate(config.build.system):
        if not _PACKAGE.match(package):
            yield Finding(("build", "system", index), f"{package!r} is not the name of a system package")


def _names(config: AgentConfig) -> Iterator[Finding]:
    for index, name in enumerate(config.secrets):
        if name in config.env:
            yield Finding(("secrets", index), f"{name} is both in env and in secrets", "keep one")
        if name in config.secrets[:index]:
            yield Finding(("secrets", index), f"{name} is named twice")
    for name, value in config.env.items():
        if "\0" in value:
            yield Finding(("env", name), f"env.{name} has a NUL character")
    seen: dict[str, str] = {}
    for rule in ("allow", "deny", "ask"):
        for index, tool in enumerate(getattr(config.tools, rule)):
            if seen.setdefault(tool, rule) != rule:
                yield Finding(("tools", rule, index), f"tool {tool} is in both {seen[tool]} and {rule}")


def _models(config: AgentConfig) -> Iterator[Finding]:
    for alias, pin in config.models.items():
        name = pin if isinstance(pin, str) else pin.get("model")
        if isinstance(name, str) and _MODEL.match(name):
            continue
        path: Path = ("models", alias)
        if isinstance(pin, str):
            yield Finding(path, f"models.{alias} {pin!r} names no provider", 'write "provider/model"')
        else:
            yield Finding(path, f'models.{alias} needs model = "provider/model"')


def _network(config: AgentConfig) -> Iterator[Finding]:
    hosts = config.sandbox.network
    if isinstance(hosts, str):
        return
    for index, host in enumerate(hosts):
        if not _HOST.match(host) or not _port_is_valid(host):
            yield Finding(
                ("sandbox", "network", index),
                f"{host!r} is not a host",
                'such as "api.github.com", "*.example.com" or "db.internal:5432"; without scheme and path',
            )


def _port_is_valid(host: str) -> bool:
    _, colon, port = host.partition(":")
    return not colon or 0 < int(port) <= 65535
