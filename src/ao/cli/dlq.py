"""`ao dlq` and `ao fork`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect, refuse_unknown
from ao.cli.session import Session
from ao.cli.values import agent_name, run_id, version_number
from ao.client import replay_calls
from ao.client.api import Client
from ao.domain.errors import Conflict, InvalidInput, NotFound, QueueFull, RunFailed, UsageError
from ao.domain.quantities import parse_duration

_On = Annotated[str | None, typer.Option("--on", metavar="V", help="On this version instead of the old run's.")]
_Agent = Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Of this agent.")]
_Fingerprint = Annotated[
    str | None, typer.Option("--fingerprint", metavar="ID", help="Only those that failed alike.")
]
_FromStart = Annotated[
    bool, typer.Option("--from-start", help="Without what was recorded; otherwise from the last checkpoint.")
]


def list_letters(
    session: Session,
    agent: _Agent = None,
    fingerprint: _Fingerprint = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were replayed.")] = False,
    each: Annotated[bool, typer.Option("--each", help="One line for each run, not for each group.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """List runs that failed for good, grouped by what went wrong."""
    client = connect(session)
    if each or fingerprint is not None:
        call = replay_calls.list_letters(agent=agent, fingerprint=fingerprint, all=all_, limit=limit)
        page = client.send_json(call)
        header, row = ("RUN", "AGENT", "FAILED", "REPLAYED BY", "FINGERPRINT", "ERROR"), _letter
    else:
        found = client.send_json(
            replay_calls.letter_groups(agent=agent, all=all_, limit=min(limit + 1, output.MOST_LISTED))
        )
        page = {"items": found[:limit], "next": len(found) > limit}
        header, row = ("FINGERPRINT", "AGENT", "RUNS", "FIRST", "LAST", "ERROR"), _group
    items = page["items"]
    if session.json:
        output.as_json(items)
        return
    if not items:
        refuse_unknown(session, agent)
        output.say("no dead letters")
        return
    output.table(header, map(row, items))
    output.more(page, limit)
    chosen = items[0].get("run_id") or f"--agent {items[0]['agent']} --fingerprint {items[0]['fingerprint']}"
    output.next_step(f"ao dlq replay {chosen}")


def _group(item: Mapping[str, Any]) -> tuple[str, ...]:
    times = output.age(item["first_at"]), output.age(item["last_at"])
    return (item["fingerprint"], item["agent"], str(item["count"]), *times, item["title"])


def _letter(item: Mapping[str, Any]) -> tuple[str, ...]:
    agent = f"{item['agent']} v{item['version']}" if item["version"] else item["agent"]
    in_step = f" (in step {item['step']})" if item["step"] else ""
    replayed = item["replayed_by"] or "-"
    failed = output.age(item["at"])
    return (item["run_id"], agent, failed, replayed, item["fingerprint"], item["title"] + in_step)


def replay(
    session: Session,
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]…", help="Ids of dead letters.")] = None,
    agent: _Agent = None,
    fingerprint: _Fingerprint = None,
    from_start: _FromStart = False,
    on: _On = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many, the oldest first.")
    ] = 100,
) -> None:
    """Make new runs of dead letters: of those named, or of all of an agent's or of one kind.

    What steps have recorded is used again; a step that is given another input than it was recorded with ends
    the new run at once. A run that is named is replayed whatever became of it before; of the others each once.
    """
    client = connect(session)
    version = version_number(on) if on else None
    begin = "start" if from_start else "checkpoint"
    if bool(runs) == (agent is not None):
        raise UsageError("name runs, or --agent for all of its dead letters", hint="`ao dlq ls` lists them")
    if runs:
        done = [_replay_one(client, run_id(run), begin, version) for run in runs]
    else:
        call = replay_calls.replay_letters(
            agent_name(agent or ""), fingerprint=fingerprint, begin=begin, version=version, limit=limit
        )
        done = client.send_json(call)
        if not done:
            refuse_unknown(session, agent)
    if session.json:
        output.as_json(done)
    else:
        _tell(done)
        if agent is not None and len(done) == limit:
            _tell_rest(client, agent, fingerprint)
    failed = [item for item in done if item["error"]]
    if failed:
        again = f"ao dlq replay {' '.join(item['run_id'] for item in failed)}" if runs else "the same command"
        raise RunFailed(
            f"{len(failed)} of {len(done)} could not be replayed: {failed[0]['error']}",
            hint=f"they are dead letters as before: when that is mended, go on with {again}",
        )


def _replay_one(client: Client, run: str, begin: str, version: int | None) -> dict[str, Any]:
    try:
        made = client.send_json(replay_calls.replay_run(run, begin, version))
    except (NotFound, Conflict, InvalidInput, QueueFull) as error:
        return {"run_id": run, "replay": None, "error": error.message, "warnings": []}
    return {"run_id": run, "replay": made["id"], "error": None, "warnings": made["warnings"]}


def _tell(done: list[dict[str, Any]]) -> None:
    for item in done:
        output.data(f"{item['run_id']} → {item['replay'] or output.style(item['error'], 'red')}")
    for warning in dict.fromkeys(warning for item in done for warning in item["warnings"]):
        _warn(warning)
    output.say(f"{sum(1 for item in done if item['replay'])} replayed")


def _tell_rest(client: Client, agent: str, fingerprint: str | None) -> None:
    if client.send_json(replay_calls.list_letters(agent=agent, fingerprint=fingerprint, limit=1))["items"]:
        output.say("there are more: the same command goes on with them")


def _warn(warning: str) -> None:
    output.say(f"{output.style('warning:', 'yellow')} {warning}")


def purge(
    session: Session,
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="Such as 30d or 12h.")],
    agent: _Agent = None,
    fingerprint: _Fingerprint = None,
) -> None:
    """Forget old dead letters and what their runs have recorded; the runs themselves stay."""
    try:
        seconds = parse_duration(older_than)
    except ValueError as error:
        raise UsageError(f"--older-than: {error}") from error
    call = replay_calls.purge_letters(seconds, agent=agent, fingerprint=fingerprint)
    done = connect(session).send_json(call)
    if session.json:
        output.as_json(done)
    else:
        output.say(f"{done['purged']} purged")


def fork(
    session: Session,
    run: Annotated[str, typer.Argument(help="Id of the run.")],
    step: Annotated[str, typer.Option("--from", metavar="STEP", help="Path of the first step to do again.")],
    on: _On = None,
) -> None:
    """Start a new run that begins in the middle of an old one.

    It has the results of the steps that the old run began before STEP, and executes the rest. `ao show` lists
    the steps of a run.
    """
    version = version_number(on) if on else None
    made = connect(session).send_json(replay_calls.fork_run(run_id(run), step, version))
    if session.json:
        output.as_json(made)
        return
    output.data(made["id"])
    for warning in made["warnings"]:
        _warn(warning)
    output.next_step(f"ao logs {made['id']} -f")
