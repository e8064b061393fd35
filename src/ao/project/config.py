"""Reading `ao.toml`: all problems at once, each with its field, line and what to do about it."""

import re
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

from pydantic import ValidationError

from ao.domain.agent_config import AgentConfig
from ao.domain.errors import InvalidConfig, Problem
from ao.project import checks, files, positions
from ao.project.positions import Path as Keys
from ao.project.wording import Finding, dotted, findings

FILE_NAME = "ao.toml"
_MEANT = ("did you mean entrypoint?", "did you mean command?")
MAX_BYTES = 1 << 20
MAX_DEPTH = 64
_PLACE = re.compile(r" ?\(at (?:line (\d+), column \d+|end of document)\)$")


def load(path: Path) -> AgentConfig:
    """Read the `ao.toml` at `path`, or in the directory `path`, and check it against the files beside it.

    An `input_schema` that is a file is read: the value has the schema itself. Raises `InvalidConfig`.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InvalidConfig(f"{file.name} is larger than {MAX_BYTES >> 10} KiB")
        text = file.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InvalidConfig(
            f"there is no {FILE_NAME} in {file.parent}", hint="`ao init NAME` makes a project with one"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"{file.name} is not UTF-8") from error
    return parse(text, file.name, file.parent)


def parse(text: str, filename: str = FILE_NAME, root: Path | None = None) -> AgentConfig:
    """The configuration in `text`; with `root`, the files that it names are checked and read there."""
    data = _toml(text, filename)
    config, found = _validate(data)
    refused = {finding.path for finding in found}
    if config is not None:
        found += _missing_entrypoint(data, found)
        more = [*checks.check(config, data), *(files.check(config, root) if root else ())]
        found += [finding for finding in more if not _is_below(finding.path, refused)]
    if found or config is None:
        raise _invalid(filename, found, positions.positions(text))
    return files.with_schema(config, root) if root else config


def _toml(text: str, filename: str) -> dict[str, object]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = _PLACE.search(said)
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        message = _PLACE.sub("", said)
        problem = Problem("", f"this is not TOML: {message[:1].lower()}{message[1:]}", line=line)
        raise InvalidConfig(f"{filename} has a problem", problems=[problem]) from error
    except RecursionError as error:
        raise InvalidConfig(f"{filename} is nested too deeply") from error
    if _is_deep(data):
        raise InvalidConfig(f"{filename} is nested too deeply", hint=f"at most {MAX_DEPTH} levels")
    return data


def _is_deep(data: object) -> bool:
    level: list[object] = [data]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for node in level
            for item in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
        ]
        if not level:
            return False
    return True


def _validate(data: dict[str, object]) -> tuple[AgentConfig | None, list[Finding]]:
    """The value and what is wrong. Wrong fields are taken out, so that the others are looked at too."""
    found: list[Finding] = []
    rest = deepcopy(data)
    for _ in range(3):
        try:
            return AgentConfig.model_validate(rest, strict=True), found
        except ValidationError as error:
            fresh = findings(error, rest)
        found += [finding for finding in fresh if finding.path not in {known.path for known in found}]
        for finding in fresh:
            _take_out(rest, finding.path)
        rest.setdefault("name", "agent")
        if "entrypoint" in rest and "command" in rest:
            del rest["command"]
        elif "entrypoint" not in rest and "command" not in rest:
            rest["command"] = ["true"]
    return None, found


def _missing_entrypoint(data: dict[str, object], found: list[Finding]) -> list[Finding]:
    """The validator says this only when nothing else is wrong."""
    is_said = any(not finding.path or finding.hint in _MEANT for finding in found)
    if is_said or ("entrypoint" in data) != ("command" in data):
        return []
    return [Finding((), "give either `entrypoint` or `command`")]


def _take_out(data: dict[str, object], path: Keys) -> None:
    """Remove a value; a wrong element takes its list with it, so that no index moves."""
    for index, key in enumerate(path):
        if isinstance(key, int):
            path = path[:index]
            break
    *tables, last = path or ("",)
    node: object = data
    for key in tables:
        node = node.get(str(key)) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node.pop(str(last), None)


def _is_below(path: Keys, refused: set[Keys]) -> bool:
    return any(path[:length] in refused for length in range(1, len(path) + 1))


def _invalid(filename: str, found: list[Finding], lines: dict[Keys, int]) -> InvalidConfig:
    problems = sorted(_problems(found, lines), key=lambda problem: (problem.line or 0, problem.field))
    count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    return InvalidConfig(f"{filename} has {count}", problems=problems)


def _problems(found: list[Finding], lines: dict[Keys, int]) -> Iterator[Problem]:
    for finding in found:
        line = positions.line_of(lines, finding.path)
        yield Problem(dotted(finding.path), finding.message, finding.hint, line)
