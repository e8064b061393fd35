"""`ao image`: container images of AO, and of AO with an agent."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ao.cli import output
from ao.cli.session import Session
from ao.cli.values import naming_files
from ao.domain.errors import UsageError
from ao.settings import host_environment

if TYPE_CHECKING:
    from ao.image import Built, Pushed

_DONE = output.style("✓", "green")


def build(
    session: Session,
    project: Annotated[
        Path | None, typer.Argument(help="Directory of an agent to bring along; none: AO alone.")
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option(
            "--tag", "-t", metavar="NAME", help="Name of the image, with its registry; may be repeated."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="IMAGE", help="Image to build on; default: python:X.Y-slim as here."),
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="Push it under every name.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build every layer anew.")] = False,
    print_dockerfile: Annotated[
        bool, typer.Option("--print-dockerfile", help="Print the Dockerfile and build nothing.")
    ] = False,
) -> None:
    """Build a container image of AO, alone or with an agent.

    AO alone is server, worker and command. With an agent, a container of the image is a whole AO in which that
    agent is live.

    AO is installed as it is here, with the packages that its lock pins by hash. They are collected on this
    machine, through the index, proxy and certificates that pip is configured for; the build itself has no
    network. One tag is the version, another one names the content: equal content is built once.
    """
    from ao import image  # noqa: PLC0415 - `ao image --help` does not pay for it
    from ao.image import own  # noqa: PLC0415

    if project is not None and not project.is_dir():
        raise UsageError(f"{project} is not a directory", hint="give the directory that holds the ao.toml")
    order = image.Order(tags or (), base or image.DEFAULT_BASE, project, cache=not no_cache)
    if print_dockerfile:
        _print(session, image.dockerfile(own.file_name(), order.base, agent=project is not None))
        return
    environ = host_environment()

    def log(line: str) -> None:
        if not session.json:
            output.say(output.style(line, "dim"))

    with naming_files("cannot be read"):
        built = asyncio.run(image.build(order, environ, log))
    if not session.json:
        _tell(built)
    pushed = asyncio.run(image.push(built.tags, environ, log)) if push else ()
    if session.json:
        output.as_json({**asdict(built), "pushed": [asdict(item) for item in pushed]})
    else:
        _next(built, pushed, alone=project is None)


def _print(session: Session, dockerfile: str) -> None:
    if session.json:
        output.as_json({"dockerfile": dockerfile})
    else:
        output.data(dockerfile.rstrip())


def _tell(built: "Built") -> None:
    how = "there already" if built.was_there else "built"
    output.say(f"{_DONE} {how}: Python {built.python}, {output.size(built.size_bytes)}")
    for tag in built.tags:
        output.data(tag)


def _next(built: "Built", pushed: "Sequence[Pushed]", *, alone: bool) -> None:
    for item in pushed:
        output.say(f"{_DONE} pushed {item.reference}@{item.digest}")
    if alone:
        output.next_step(f"ao export compose --image {built.tags[-1]}")
    else:
        output.next_step(f"docker run --detach --init --publish 127.0.0.1:7433:7433 {built.tags[0]}")
