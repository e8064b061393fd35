"""`ao export`: files with which other systems run AO."""

from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from ao.cli import output
from ao.cli.session import Session
from ao.cli.values import naming_files
from ao.export import compose as stacks


class Isolation(StrEnum):
    LANDLOCK = "landlock"
    NAMESPACES = "namespaces"


def compose(
    session: Session,
    directory: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where to; default: ao-stack.")
    ] = Path("ao-stack"),
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=100, help="Containers that execute runs.")
    ] = 2,
    image: Annotated[
        str | None, typer.Option("--image", help="Image of AO; default: what `ao image build` names.")
    ] = None,
    sandbox: Annotated[
        Isolation,
        typer.Option(
            "--sandbox", help="Isolation of runs; namespaces is stronger, and opens their containers."
        ),
    ] = Isolation.LANDLOCK,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there; secrets stay.")] = False,
) -> None:
    """Write a stack for Docker Compose: server, workers, Postgres, Redis.

    Passwords and keys are made once, into files of a directory that only you can enter. Nothing that is there
    already is overwritten without --force, and secrets never are.
    """
    stack = stacks.Stack(image or f"ao:{version('ao-platform')}", workers, sandbox.value)
    with naming_files("cannot be written"):
        done = stacks.write(stack, directory, force=force)
    if session.json:
        facts = {
            "directory": str(directory),
            "image": stack.image,
            "workers": workers,
            "sandbox": sandbox.value,
        }
        output.as_json({**facts, "written": done.written, "kept": done.kept})
        return
    for name in done.written:
        output.data(str(directory / name))
    for name in done.kept:
        output.say(output.style(f"kept {directory / name}", "dim"))
    if image is None:
        output.next_step(f"ao image build makes {stack.image}")
    output.next_step(f"cd {directory} && docker compose up -d --wait")
    output.next_step("docker compose exec server ao keys create me --role admin")
