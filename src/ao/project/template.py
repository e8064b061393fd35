"""The files of `ao init`: an agent that runs at once, without any key or package."""

import re
from pathlib import Path

from ao.domain.agent_config import AgentConfig
from ao.domain.errors import Conflict, InvalidInput, Problem
from ao.project import schema

_STARTER = Path(__file__).with_name("starter")
_FILES = {
    "ao.toml": "ao.toml",
    "agent.py": "agent.py",
    "tests/test_agent.py": "tests/test_agent.py",
    "AGENTS.md": "AGENTS.md",
    "gitignore": ".gitignore",
    "aoignore": ".aoignore",
}
"""File of the starter → file of the project. Ignore files must not count inside this package."""


def create(directory: Path, name: str) -> list[Path]:
    """Write the project into `directory`, which is made if need be; returns the files, sorted.

    Raises `InvalidInput` for a name that no agent can have, `Conflict` when a file is there already: then
    nothing is written.
    """
    _check(name)
    content = {target: (_STARTER / source).read_text("utf-8") for source, target in _FILES.items()}
    content = {target: text.replace("{name}", name) for target, text in content.items()}
    content[".ao/ao.schema.json"] = schema.FILE.read_text("utf-8")
    present = sorted(target for target in content if (directory / target).exists())
    if present:
        raise Conflict(
            f"{directory} already has {', '.join(present)}", hint="choose another directory: `ao init NAME`"
        )
    for target, text in content.items():
        file = directory / target
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return sorted(directory / target for target in content)


def _check(name: str) -> None:
    pattern = next(m.pattern for m in AgentConfig.model_fields["name"].metadata if hasattr(m, "pattern"))
    if not re.match(pattern, name):
        suggestion = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        problem = Problem("name", "a name has lower-case letters, digits and dashes, a letter first")
        raise InvalidInput(
            f"{name!r} cannot be the name of an agent",
            hint=f"`--name {suggestion}` would do" if suggestion else "",
            problems=[problem],
        )
