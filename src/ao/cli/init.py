"""`ao init`."""

from pathlib import Path
from typing import Annotated

import typer

from ao.cli import output
from ao.cli.session import Session
from ao.cli.values import naming_files
from ao.project import template


def init(
    session: Session,
    path: Annotated[Path, typer.Argument(help="Directory to make; its name is the agent's name.")],
    name: Annotated[str | None, typer.Option("--name", help="Another name for the agent.")] = None,
) -> None:
    """Make a new agent that runs at once.

    It needs no API key. Nothing that is there already is overwritten.
    """
    agent = name or path.resolve().name
    with naming_files("cannot be made"):
        files = template.create(path, agent)
    if session.json:
        output.as_json({"agent": agent, "directory": str(path), "files": [str(file) for file in files]})
        return
    output.say(f"{agent} is in {path}:")
    for file in files:
        output.data(f"  {file.relative_to(path)}")
    output.next_step(f"cd {path}, then ao deploy (`ao up -d` starts a server)")
