"""`ao schedules` and `ao gc`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.client import calls


def schedules(session: Session) -> None:
    """List the schedules and their next runs."""
    found = connect(session).send_json(calls.list_schedules(None))
    if session.json:
        output.as_json(found)
        return
    if not found:
        output.say("no schedules; `cron` in ao.toml makes one at the next deploy")
        return
    output.table(("AGENT", "CRON", "TIME ZONE", "NEXT", "LAST", "LAST RUN"), (_row(item) for item in found))


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    upcoming = "paused" if item["paused"] else output.age(item["next_at"])
    last = (output.age(item["last_tick_at"]), item["last_run_id"] or "-")
    return (item["agent"], item["cron"], item["timezone"], upcoming, *last)


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
