"""`ao backup` and `ao restore`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ao.cli import output
from ao.cli.server import HomeOption, overrides
from ao.cli.session import Session
from ao.settings import from_environment

if TYPE_CHECKING:
    from ao.wiring.backups import Backup


def backup(
    session: Session,
    directory: Annotated[Path, typer.Argument(help="A new directory.")],
    home: HomeOption = None,
) -> None:
    """Copy a home: database, blobs and keys; its server may run.

    What it has are copies of secrets and the key that opens them: keep it as safe as the home.
    """
    from ao.wiring import backups  # noqa: PLC0415 - only these commands pay for it

    made = backups.back_up(from_environment(overrides(home)), directory.absolute())
    _tell(session, made, directory)
    if not session.json:
        output.next_step(f"copy {directory} to another machine; `ao restore {directory}` makes a home of it")


def restore(
    session: Session,
    directory: Annotated[Path, typer.Argument(help="What `ao backup` made.")],
    home: HomeOption = None,
) -> None:
    """Make a home of a backup; every byte is checked.

    The home must have no database. Runs that were at work when the backup was made are executed again.
    """
    from ao.wiring import backups  # noqa: PLC0415 - as above

    restored = backups.restore(from_environment(overrides(home)), directory.absolute())
    _tell(session, restored, directory)
    if not session.json:
        output.next_step("ao up")


def _tell(session: Session, backup: "Backup", directory: Path) -> None:
    if session.json:
        output.as_json({**asdict(backup), "directory": str(directory.absolute())})
        return
    output.data(f"database of {backup.at}, {output.size(backup.database_bytes)}, AO {backup.version}")
    output.data(f"{backup.blobs} blobs, {output.size(backup.blob_bytes)}")
    if "secrets.key" not in backup.keys:
        output.say("no secrets.key: the key was AO_SECRETS_KEY; without it the secrets cannot be opened")
