"""`ao questions` and `ao answer`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect, refuse_unknown
from ao.cli.session import Session
from ao.cli.values import run_id, run_input
from ao.client import calls
from ao.domain.errors import UsageError


def questions(
    session: Session,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Of this agent.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also what is answered or out of time.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """List what runs wait for people to answer."""
    page = connect(session).send_json(calls.list_questions(agent=agent, all=all_, limit=limit))
    if session.json:
        output.as_json(page)
        return
    if not page["items"]:
        refuse_unknown(session, agent)
        output.say("no questions" if all_ else "nothing waits for an answer")
        return
    output.table(("RUN", "AGENT", "ASKED", "TIME LEFT", "STATE", "QUESTION"), map(_row, page["items"]))
    output.more(page, limit)
    waiting = [item for item in page["items"] if item["answerable"]]
    if waiting:
        output.next_step(command_for(waiting[0]["run_id"], waiting[0]["kind"]))


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    left = output.age(item["deadline_at"]).removeprefix("in ") if item["answerable"] else "-"
    state = item["state"] if item["state"] != "open" or item["answerable"] else "too late"
    if item["state"] == "answered":
        state = f"answered by {item['actor']}"
    text = item["text"].replace("\n", " ")
    return (item["run_id"], item["agent"], output.age(item["asked_at"]), left, state, text)


def answer(
    session: Session,
    run: Annotated[str, typer.Argument(help="Id of the run that asks.")],
    value: Annotated[
        str | None, typer.Argument(metavar="[ANSWER]", help="JSON, @file, - for stdin, or plain text.")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Say yes to an approval.")] = False,
    deny: Annotated[bool, typer.Option("--deny", help="Say no to an approval.")] = False,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="Kept with the answer.")] = "",
    question: Annotated[
        str | None, typer.Option("--question", metavar="ID", help="Which one, if the run asks several.")
    ] = None,
) -> None:
    """Answer what a run asks, and let it go on.

    The first answer counts. What is not JSON is taken as text: `ao answer RUN Paris` answers "Paris".
    """
    if [value is not None, approve, deny].count(True) != 1:
        raise UsageError("give one of ANSWER, --approve and --deny")
    given: dict[str, object] = {"approved": approve} if value is None else {"answer": _value(value)}
    call = calls.answer(run_id(run), given, question=question, comment=comment)
    done = connect(session).send_json(call)
    if session.json:
        output.as_json(done)
        return
    output.say(f"answered: {done['text']}")
    output.next_step(f"ao logs {done['run_id']} -f")


def _value(text: str) -> object:
    if text == "-" or text.startswith("@"):
        return run_input(text)
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


def command_for(run: str, kind: str) -> str:
    """How to answer."""
    return f"ao answer {run} " + ("--approve | --deny" if kind == "approval" else "'ANSWER'")


def lines(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Of `ao show`: what the run waits for."""
    for item in items:
        left = f", {output.age(item['deadline_at'])} at the latest" if item["deadline_at"] else ""
        yield output.style("asks     ", "dim") + item["text"] + output.style(f" ({item['kind']}{left})", "dim")
        if item["details"] is not None:
            yield "         " + json.dumps(item["details"], ensure_ascii=False)
        yield "         " + output.style(command_for(item["run_id"], item["kind"]), "cyan")
