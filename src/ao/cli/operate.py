"""`ao gc`."""

from typing import Annotated

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.client import calls


def gc(
    session: Session,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove environments and files that nothing uses any more."""
    done = connect(session).send_json(calls.collect_garbage(dry_run))
    if session.json:
        output.as_json(done)
        return
    verb = "would remove" if done["dry_run"] else "removed"
    counts = f"{done['environments']} environments, {done['releases']} unpacked releases, {done['blobs']} blobs"
    output.say(f"{verb} {counts}: {output.size(done['freed_bytes'])}")
