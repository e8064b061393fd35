"""`ao deploy`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.cli.values import naming_files
from ao.client.handles import Deployment
from ao.domain.errors import UsageError

_DONE = output.style("✓", "green")


def deploy(
    session: Session,
    path: Annotated[Path, typer.Argument(help="The project's directory.")] = Path(),
    message: Annotated[str, typer.Option("--message", "-m", help="Shown in the list of versions.")] = "",
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Resolve the dependencies anew.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return when the upload is accepted.")] = False,
) -> None:
    """Build a project and make it the live version.

    The build log is shown live. A build that fails changes nothing that is live. No code of the project is
    executed.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is not a directory", hint="give the directory that holds the ao.toml")
    started = time.monotonic()
    if not session.json:
        output.say(output.style(f"deploying {path.resolve()}", "dim"))
    # After the first line: reading and packing a project takes as long to import as to do.
    from ao.project import config, packing  # noqa: PLC0415

    with naming_files("cannot be packed"):
        if not session.json:
            output.say(f"{_DONE} {config.load(path.resolve()).name}: ao.toml is valid")
            output.say(f"{_DONE} packaged {len(packing.select(path).entries)} files")
        deployment = connect(session).deploy(path, message=message, upgrade=upgrade)
    session.on_interrupt = f"the build goes on: ao deployments {deployment.agent}"
    if not session.json:
        _uploaded(deployment)
    if not no_wait:
        if not session.json:
            _show_log(deployment)
        deployment.wait()
    if session.json:
        output.as_json(deployment.view)
    elif not no_wait:
        _live(deployment, time.monotonic() - started)


def _uploaded(deployment: Deployment) -> None:
    output.say(f"{_DONE} uploaded as v{deployment.version}")
    for warning in deployment.warnings:
        output.say(f"{output.style('!', 'yellow', 'bold')} {warning}")


def _show_log(deployment: Deployment) -> None:
    for line in deployment.log():
        output.say(output.style(f"  {line.text}", "dim"))


def _live(deployment: Deployment, seconds: float) -> None:
    """The last line is data: which version is live now."""
    deployment.refresh()
    output.say(f"{_DONE} built in {output.duration(seconds)}")
    name = f"{deployment.agent} v{deployment.version}"
    digest = (deployment.view.digest or "").removeprefix("sha256:")[:12]
    output.data(
        f"{name} {output.state('live') if deployment.view.live else 'succeeded'} {output.style(digest, 'dim')}"
    )
    output.next_step(f"ao run {deployment.agent}")
