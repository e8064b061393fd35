"""`ao webhooks`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect, refuse_unknown
from ao.cli.session import Session
from ao.cli.values import run_id
from ao.client import calls
from ao.domain.errors import NotFound
from ao.domain.webhook import DeliveryState

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the delivery.")]


def list_webhooks(
    session: Session,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="Of this run.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Of this agent.")] = None,
    state: Annotated[DeliveryState | None, typer.Option("--state", help="In this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """List deliveries of webhooks, newest first."""
    call = calls.list_webhooks(run=run_id(run) if run else None, agent=agent, state=state, limit=limit)
    page = connect(session).send_json(call)
    if session.json:
        output.as_json(page)
        return
    if not page["items"]:
        refuse_unknown(session, agent)
        output.say("no deliveries; `ao run AGENT --webhook URL --webhook-secret NAME` makes one")
        return
    headers = ("ID", "AGENT", "RUN", "STATE", "TRIES", "AGE", "NEXT", "URL")
    output.table(headers, (_row(item) for item in page["items"]))
    output.more(page, limit)


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    tries, age, due = str(item["tries"]), output.age(item["created_at"]), output.age(item["due_at"])
    return (
        item["id"],
        item["agent"],
        item["run_id"],
        output.state(item["state"]),
        tries,
        age,
        due,
        item["url"],
    )


def show(session: Session, delivery: Id) -> None:
    """Show a delivery and every try."""
    found = connect(session).send_json(calls.get_webhook(_delivery_id(delivery)))
    if session.json:
        output.as_json(found)
        return
    output.data(f"{found['url']} is {output.state(found['state'])}: {found['agent']} {found['run_id']}")
    for tried in found["attempts"]:
        answer = "no answer" if tried["status"] is None else str(tried["status"])
        text = f"  {output.age(tried['at'])}  {answer} after {output.duration(tried['duration_us'] / 1e6)}"
        output.data(text + (f": {output.style(tried['error'], 'red')}" if tried["error"] else ""))
    if found["due_at"]:
        output.data(f"  next try {output.age(found['due_at'])}")


def replay(session: Session, delivery: Id) -> None:
    """Deliver once more, with the same id."""
    done = connect(session).send_json(calls.replay_webhook(_delivery_id(delivery)))
    if session.json:
        output.as_json(done)
        return
    output.say(f"{done['id']} is delivered again")
    output.next_step(f"ao webhooks show {done['id']}")


def _delivery_id(text: str) -> str:
    try:
        return run_id(text)
    except NotFound as error:
        raise NotFound(f"there is no delivery {text!r}", hint="`ao webhooks list` shows them") from error
