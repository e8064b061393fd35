"""`ao runs`, `ao show`, `ao cancel`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ao.cli import follow, output, questions, steps
from ao.cli.connect import connect, refuse_unknown
from ao.cli.session import Session
from ao.cli.values import run_id
from ao.client import calls
from ao.domain.errors import UsageError
from ao.domain.outcome import OutcomeKind
from ao.domain.run import RunState
from ao.domain.tracebacks import place_of

if TYPE_CHECKING:
    from ao.wire.schemas import AttemptView, RunView


def runs(
    session: Session,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Of this agent.")] = None,
    assistant: Annotated[
        str | None,
        typer.Option("--assistant", metavar="NAME", help="Of this assistant; an agent's name means its own."),
    ] = None,
    state: Annotated[RunState | None, typer.Option("--state", help="In this state.")] = None,
    session_id: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="Of this session of --agent.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """List runs, newest first."""
    if session_id is not None and agent is None:
        raise UsageError("--session needs --agent: each agent has sessions of its own")
    states = [state.value] if state else []
    call = calls.list_runs(agent=agent, assistant=assistant, state=states, session=session_id, limit=limit)
    # Plain JSON: the models would double the time to the first line.
    page = connect(session).send_json(call)
    if session.json:
        output.as_json(page)
        return
    if not page["items"]:
        refuse_unknown(session, agent)
        _none(agent, state)
        return
    output.table(
        ("RUN", "AGENT", "STATE", "ATTEMPT", "AGE", "TOOK", "ERROR"), (_row(run) for run in page["items"])
    )
    output.more(page, limit)


def _none(agent: str | None, state: RunState | None) -> None:
    of = f" of {agent}" if agent else ""
    output.say(f"no {state.value} runs{of}" if state else f"no runs{of}")
    output.next_step("ao runs lists all" if state else f"ao run {agent or 'AGENT'}")


def _row(run: Mapping[str, Any]) -> Sequence[str]:
    created, started, finished = (_moment(run[name]) for name in ("created_at", "started_at", "finished_at"))
    took = output.duration((finished - started).total_seconds()) if started and finished else "-"
    agent = f"{run['agent']} v{run['version']}" if run["version"] else str(run["agent"])
    if run.get("assistant", "") not in ("", run["agent"]):
        agent = f"{run['assistant']} ({agent})"
    error = (run["error"] or "").partition("\n")[0]
    state = output.state(run["state"])
    return (str(run["id"]), agent, state, str(run["attempt"]), output.age(created), took, error)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def show(session: Session, run: Annotated[str, typer.Argument(help="Id of the run.")]) -> None:
    """Show a run: state, attempts, error, input and output."""
    client = connect(session)
    handle = client.get_run(run_id(run))
    if not session.json:
        # Before the models are imported, which takes longer than the request.
        output.data(output.style("run      ", "dim") + handle.id)
    view, attempts = handle.view, handle.attempts()
    if session.json:
        found = client.send_json(calls.run_steps(handle.id))
        output.as_json({"run": handle.data, "attempts": attempts, "steps": found})
        return
    output.data(sentence(view))
    for attempt in attempts:
        output.data(_attempt(attempt))
    if view.state is RunState.PAUSED:
        asked = client.send_json(calls.list_questions(run=handle.id))["items"]
        for line in questions.lines(asked):
            output.data(line)
    for line in steps.tree(client.send_json(calls.run_steps(handle.id))):
        output.data(line)
    for gap in follow.gaps_of(client, handle.id):
        output.data(follow.gap_line(gap))
    if view.error is not None and view.error.traceback:
        for line in follow.traceback_of(view.error.traceback):
            output.data(line)
    if view.error is not None and view.error.hint:
        output.data(f"{output.style('hint:', 'cyan')} {view.error.hint}")
    output.data(output.style("input    ", "dim") + _short(view.input))
    if view.state is RunState.COMPLETED:
        output.data(output.style("output   ", "dim") + _short(view.output))
    for line in _facts(view):
        output.data(line)


def cancel(session: Session, run: Annotated[str, typer.Argument(help="Id of the run.")]) -> None:
    """Stop a run.

    A run that waits is cancelled at once; one that is running is stopped by its worker. A result that is
    already there is kept.
    """
    handle = connect(session).get_run(run_id(run)).cancel()
    if session.json:
        output.as_json(handle.data)
    elif handle.done:
        output.say(f"run {handle.id} is {output.state(handle.state)}")
    else:
        output.say(f"run {handle.id} is being stopped")
        output.next_step(f"ao show {handle.id}")


def sentence(view: "RunView") -> str:
    """What there is to know first."""
    name = f"{view.agent} v{view.version}" if view.version else view.agent
    if view.assistant_version is not None:
        name = f"{view.assistant} v{view.assistant_version} ({name})"
    text = f"{output.style(name, 'bold')} is {output.state(view.state)}"
    if view.why_pending:
        return f"{text}: {view.why_pending}"
    if view.finished_at is not None:
        text += (
            f" {output.age(view.finished_at)}, after {view.attempt} attempt{'s' if view.attempt != 1 else ''}"
        )
    elif view.started_at is not None:
        text += f" for {output.age(view.started_at).removesuffix(' ago')}, attempt {view.attempt}"
    if view.error is not None:
        text += f": {output.shortened(view.error.message)}" + (
            f" (in step {view.error.step})" if view.error.step else ""
        )
    return text + (" (a stop was asked for)" if view.cancel_requested and not view.state.terminal else "")


def _attempt(attempt: "AttemptView") -> str:
    if attempt.finished_at is None:
        return output.style(
            f"  attempt {attempt.number} running for {output.age(attempt.started_at).removesuffix(' ago')}",
            "cyan",
        )
    if attempt.kind is None:
        ending = output.style("handed back by its worker; not counted", "yellow")
    elif attempt.kind is OutcomeKind.PAUSED:
        ending = output.style("paused", "yellow")
    elif attempt.error is None:
        ending = output.style("completed", "green")
    else:
        place = place_of(attempt.error.traceback)
        first = output.shortened(attempt.error.message.partition("\n")[0])
        ending = output.style(first + (f" ({place})" if place else ""), "red")
    seconds = (attempt.finished_at - attempt.started_at).total_seconds()
    facts = [
        output.duration(seconds) if seconds else "",
        "" if attempt.max_rss_bytes is None else f"peak memory {output.size(attempt.max_rss_bytes)}",
        f"sandbox {attempt.sandbox}" if attempt.sandbox else "",
    ]
    return f"  attempt {attempt.number} {ending} ({', '.join(filter(None, facts)) or 'nothing else is known'})"


def _facts(view: "RunView") -> Iterator[str]:
    facts = {
        "by": view.actor,
        **({"session": view.session} if view.session else {}),
        "created": view.created_at.astimezone().isoformat(sep=" ", timespec="seconds"),
        "timing": _timing(view),
        **({"key": view.concurrency_key} if view.concurrency_key else {}),
        "artifact": view.digest or "not resolved yet",
    }
    if view.tick is not None:
        facts["tick"] = view.tick.isoformat().replace("+00:00", "Z")
    if view.fork_of is not None:
        facts["made of"] = view.fork_of + (f", from step {view.fork_step}" if view.fork_step else "")
    if view.lineage not in (None, view.id, view.fork_of):
        facts["lineage"] = str(view.lineage)
    if view.artifact_digest not in (None, view.digest):
        facts["release"] = f"{view.artifact_digest}, by the overrides of {view.assistant}"
    for name, value in facts.items():
        yield output.style(f"{name:<9}", "dim") + value


def _timing(view: "RunView") -> str:
    """How long it waited for a worker, and how long it took from there with every retry."""
    if view.started_at is None:
        return "not started yet"
    waited = f"queued {output.duration((view.started_at - view.created_at).total_seconds())}"
    if view.finished_at is None:
        return waited
    return f"{waited}, then {output.duration((view.finished_at - view.started_at).total_seconds())} to its end"


def _short(value: object, limit: int = 2000) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters; --json shows all)"
