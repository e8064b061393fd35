"""`ao audit`."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.cli.values import instant
from ao.client import calls

When = "2h, 3d, 2026-11-20 or 2026-11-20T14:30"


def audit(
    session: Session,
    actor: Annotated[str | None, typer.Option("--actor", metavar="WHO", help="Such as key:ci.")] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", metavar="WHAT", help="Such as secret.set, or key. for all of keys."),
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="NAME", help="What concerns this agent.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="THING", help="Such as secret:TOKEN or run:ID.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help=f"Not before: {When}.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help=f"Before: {When}.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """Show who changed what, when and from where.

    Newest first. Starting a run is no entry: the run itself says who started it.
    """
    call = calls.list_audit(
        actor=actor,
        action=action,
        agent=agent,
        target=target,
        since=instant(since) if since else None,
        until=instant(until) if until else None,
        limit=limit,
    )
    page = connect(session).send_json(call)
    if session.json:
        output.as_json(page)
        return
    if not page["items"]:
        output.say("no such changes")
        return
    output.table(("AGE", "WHO", "WHAT", "ON", "FROM", "DETAILS"), (_row(item) for item in page["items"]))
    output.more(page, limit)


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    details = " ".join(f"{name}={_short(value)}" for name, value in item["details"].items())
    where = (
        item["target"]
        if item["agent"] in (None, item["target"].partition(":")[2])
        else (f"{item['target']} of {item['agent']}")
    )
    return (output.age(item["at"]), item["actor"], item["action"], where, item["source"] or "-", details)


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
