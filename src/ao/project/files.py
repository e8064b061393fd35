"""The files that an `ao.toml` names, checked where the project is."""

import json
from collections.abc import Iterator
from pathlib import Path

from ao.domain.agent_config import AgentConfig
from ao.domain.errors import InvalidInput
from ao.project import checks, entrypoint
from ao.project.nearest import did_you_mean
from ao.project.paths import why_refused
from ao.project.positions import Path as Keys
from ao.project.wording import Finding, dotted

_SCHEMA: Keys = ("input_schema",)
_DOCKERFILE: Keys = ("sandbox", "dockerfile")
MAX_SCHEMA_BYTES = 1 << 20


def check(config: AgentConfig, root: Path) -> Iterator[Finding]:
    if config.entrypoint is not None:
        yield from entrypoint.check(config.entrypoint, root)
    if config.requirements is not None:
        yield from _exists(config.requirements, ("requirements",), root)
    for section in ("prompts", "tools", "data"):
        paths = getattr(config, section)
        if "paths" in paths.model_fields_set and section in config.model_fields_set:
            for index, pattern in enumerate(paths.paths):
                yield from _exists(pattern, (section, "paths", index), root)
    if config.sandbox.dockerfile is not None:
        yield from _dockerfile(config.sandbox.dockerfile, root)
    if isinstance(config.input_schema, str):
        yield from _schema(config.input_schema, root)


def with_schema(config: AgentConfig, root: Path) -> AgentConfig:
    """The configuration with the schema itself in place of the name of its file."""
    if not isinstance(config.input_schema, str):
        return config
    schema = json.loads((root / config.input_schema).read_bytes())
    return config.model_copy(update={"input_schema": schema})


def _exists(name: str, path: Keys, root: Path) -> Iterator[Finding]:
    simple = name.removeprefix("./").rstrip("/")
    if simple not in ("", ".") and (reason := why_refused(simple)):
        yield Finding(path, f"{dotted(path)}: {name!r} {reason}")
    elif any(character in name for character in "*?["):
        if next(root.glob(simple), None) is None:
            yield Finding(path, f"{dotted(path)}: nothing matches {name!r}")
    elif not (root / simple).exists():
        beside = (root / simple).parent
        names = [item.name for item in beside.iterdir()] if beside.is_dir() else []
        yield Finding(path, f"{dotted(path)}: there is no {name}", did_you_mean(Path(simple).name, names))


def _dockerfile(name: str, root: Path) -> Iterator[Finding]:
    path = _DOCKERFILE
    if (root / name).is_dir():
        yield Finding(
            path, f"{dotted(path)}: {name} is a directory", f'such as "{name.rstrip("/")}/Dockerfile"'
        )
        return
    problems = list(_exists(name, path, root))
    yield from problems
    if not problems:
        from ao.project import dockerignore  # noqa: PLC0415  (few have one, and re2 is large)

        try:
            dockerignore.beside(root / name)
        except InvalidInput as error:
            yield Finding(path, f"{dotted(path)}: {error.message}", error.hint)


def _schema(name: str, root: Path) -> Iterator[Finding]:
    if not name.endswith(".json"):
        yield Finding(_SCHEMA, f"input_schema {name!r} must be a table, or the name of a .json file")
        return
    problems = list(_exists(name, _SCHEMA, root))
    yield from problems
    file = root / name
    if problems or not file.is_file():
        return
    if file.stat().st_size > MAX_SCHEMA_BYTES:
        yield Finding(_SCHEMA, f"{name} is larger than {MAX_SCHEMA_BYTES >> 10} KiB")
        return
    try:
        schema = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        yield Finding(_SCHEMA, f"{name} is not JSON: {error}")
        return
    if isinstance(schema, dict):
        yield from checks.schema(schema, _SCHEMA)
    else:
        yield Finding(_SCHEMA, f"{name} must hold a JSON object")
