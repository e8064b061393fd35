"""`ao schedules`."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from ao.cli import output
from ao.cli.connect import connect, refuse_unknown
from ao.cli.session import Session
from ao.cli.values import agent_name, instant, run_input, seconds
from ao.client import schedule_calls
from ao.client.schedule_calls import ScheduleFields
from ao.domain.errors import QueueFull, UsageError
from ao.domain.quantities import duration_text
from ao.domain.schedule import DECLARED, Missed, Overlap, TickOutcome

_Schedule = Annotated[
    str,
    typer.Argument(
        metavar="AGENT/NAME", help="The schedule; AGENT alone means the one that its ao.toml declares."
    ),
]
_New = Annotated[str, typer.Argument(metavar="AGENT/NAME", help="The agent, and a name for the schedule.")]
_Cron = Annotated[str | None, typer.Option("--cron", metavar="EXPRESSION", help='Such as "0 9 * * 1-5".')]
_Every = Annotated[
    str | None, typer.Option("--every", metavar="LENGTH", help="Instead of a cron expression: such as 15m.")
]
_Zone = Annotated[str | None, typer.Option("--timezone", metavar="ZONE", help="IANA time zone; default: UTC.")]
_Input = Annotated[
    str | None, typer.Option("--input", "-i", metavar="JSON", help="Input of the runs: JSON, @FILE, or - .")
]
_Overlap = Annotated[
    Overlap | None,
    typer.Option("--overlap", help="While an earlier run has not ended; default: skip."),
]
_Missed = Annotated[
    Missed | None, typer.Option("--missed", help="Ticks that fell into a downtime; default: latest.")
]
_CatchUp = Annotated[
    str | None,
    typer.Option("--catch-up", metavar="LENGTH", help="Never make up for older ticks; `none` removes it."),
]
_Start = Annotated[
    str | None, typer.Option("--start", metavar="MOMENT", help="No tick before; `none` removes it.")
]
_End = Annotated[str | None, typer.Option("--end", metavar="MOMENT", help="No tick after; `none` removes it.")]
_Priority = Annotated[
    int | None, typer.Option("--priority", min=-1000, max=1000, help="Of the runs; larger is sooner.")
]


def list_schedules(
    session: Session,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Of this agent.")] = None,
) -> None:
    """List the schedules: when next, and what became of the last tick."""
    found = connect(session).send_json(schedule_calls.list_schedules(agent_name(agent) if agent else None))
    if session.json:
        output.as_json(found)
        return
    if not found:
        refuse_unknown(session, agent)
        output.say(
            "no schedules; `cron` in ao.toml makes one at the next deploy, `ao schedules create` another"
        )
        return
    headers = ("SCHEDULE", "CRON", "TIME ZONE", "OVERLAP", "NEXT", "LAST", "OUTCOME", "RUN")
    output.table(headers, (_row(item) for item in found))
    for item in found:
        if item["problem"]:
            output.say(output.style(f"{item['agent']}/{item['name']}: {item['problem']}", "red"))


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    last = item["last"] or {"tick": None, "outcome": "-"}
    return (
        f"{item['agent']}/{item['name']}",
        item["cron"],
        item["timezone"],
        item["overlap"],
        _next(item),
        output.age(last["tick"]),
        output.state(last["outcome"]),
        item["last_run_id"] or "-",
    )


def _next(item: Mapping[str, Any]) -> str:
    if item["problem"]:
        return output.style("broken", "red")
    if item["paused"]:
        return output.state("paused")
    return output.age(item["next_at"]) if item["next_at"] else "ended"


def show(session: Session, schedule: _Schedule) -> None:
    """Show a schedule with its policies and its input."""
    found = connect(session).send_json(schedule_calls.get_schedule(*_parts(schedule)))
    if session.json:
        output.as_json(found)
        return
    _tell(found)


def _tell(item: Mapping[str, Any]) -> None:
    owner = "declared by the live release" if item["declared"] else f"made by {item['actor']}"
    output.data(f"{item['agent']}/{item['name']} in {item['environment']}, {owner}")
    output.data(f"  cron      {item['cron']}  ({item['timezone']})")
    at = "" if item["paused"] or item["problem"] or not item["next_at"] else f"  {item['next_at']}"
    output.data(f"  next      {_next(item)}{at}")
    if item["problem"]:
        output.data(f"  problem   {output.style(item['problem'], 'red')}")
    if item["pause"]:
        pause = item["pause"]
        why = f": {pause['reason']}" if pause["reason"] else ""
        output.data(f"  paused    {output.age(pause['at'])} by {pause['actor']}{why}")
    catch_up = item["catch_up_seconds"]
    window = "" if catch_up is None else f", at most {duration_text(catch_up)} late"
    output.data(f"  overlap   {item['overlap']}")
    output.data(f"  missed    {item['missed']}{window}")
    for name, field in (("start", "start_at"), ("end", "end_at")):
        if item[field]:
            output.data(f"  {name:<9} {item[field]}")
    if item["priority"]:
        output.data(f"  priority  {item['priority']}")
    given = "cron_input of the live release" if item["declared"] else json.dumps(item["input"])
    output.data(f"  input     {given}")
    if item["last"]:
        output.data(f"  last      {_line(item['last'])}")


def create(
    session: Session,
    schedule: _New,
    cron: _Cron = None,
    every: _Every = None,
    timezone: _Zone = None,
    input: _Input = None,
    overlap: _Overlap = None,
    missed: _Missed = None,
    catch_up: _CatchUp = None,
    start: _Start = None,
    end: _End = None,
    priority: _Priority = None,
    environment: Annotated[
        str, typer.Option("--environment", metavar="NAME", help="Whose live version runs.")
    ] = "prod",
    paused: Annotated[bool, typer.Option("--paused", help="Make it paused.")] = False,
) -> None:
    """Make a schedule: runs of an agent's live version, at the times of a cron expression."""
    agent, name = _parts(schedule, required=True)
    fields = _fields(cron, every, timezone, input, overlap, missed, catch_up, start, end, priority)
    if "cron" not in fields:
        raise UsageError("when should it run?", hint='--cron "0 9 * * 1-5", or --every 15m')
    call = schedule_calls.create_schedule(agent, name, environment=environment, paused=paused, **fields)
    _changed(session, connect(session).send_json(call), "made")


def update(
    session: Session,
    schedule: _Schedule,
    cron: _Cron = None,
    every: _Every = None,
    timezone: _Zone = None,
    input: _Input = None,
    overlap: _Overlap = None,
    missed: _Missed = None,
    catch_up: _CatchUp = None,
    start: _Start = None,
    end: _End = None,
    priority: _Priority = None,
) -> None:
    """Change a schedule; what is not named stays as it is."""
    fields = _fields(cron, every, timezone, input, overlap, missed, catch_up, start, end, priority)
    if not fields:
        raise UsageError("nothing to change is named", hint="`ao schedules update --help` lists what can be")
    call = schedule_calls.update_schedule(*_parts(schedule), **fields)
    _changed(session, connect(session).send_json(call), "changed")


def _fields(
    cron: str | None,
    every: str | None,
    timezone: str | None,
    input: str | None,
    overlap: str | None,
    missed: str | None,
    catch_up: str | None,
    start: str | None,
    end: str | None,
    priority: int | None,
) -> ScheduleFields:
    """Those that are given."""
    if cron is not None and every is not None:
        raise UsageError("--cron and --every exclude each other", hint="keep one")
    fields: ScheduleFields = {}
    if cron is not None or every is not None:
        fields["cron"] = cron if cron is not None else f"@every {every}"
    if timezone is not None:
        fields["timezone"] = timezone
    if input is not None:
        fields["input"] = run_input(input)
    if overlap is not None:
        fields["overlap"] = overlap
    if missed is not None:
        fields["missed"] = missed
    if catch_up is not None:
        fields["catch_up_seconds"] = _or_none(catch_up, seconds)
    if start is not None:
        fields["start_at"] = _or_none(start, instant)
    if end is not None:
        fields["end_at"] = _or_none(end, instant)
    if priority is not None:
        fields["priority"] = priority
    return fields


def _or_none(text: str, read: Callable[[str], Any]) -> Any:
    return None if text == "none" else read(text)


def remove(session: Session, schedule: _Schedule) -> None:
    """Remove a schedule; its runs go on."""
    agent, name = _parts(schedule)
    connect(session).send(schedule_calls.delete_schedule(agent, name))
    if session.json:
        output.as_json({"removed": f"{agent}/{name}"})
    else:
        output.say(f"{agent}/{name} removed")


def pause(
    session: Session,
    schedule: _Schedule,
    reason: Annotated[str, typer.Option("--reason", "-m", metavar="TEXT", help="Why; kept with it.")] = "",
) -> None:
    """Stop a schedule's ticks; a declared one stays paused through deploys and rollbacks."""
    call = schedule_calls.pause_schedule(*_parts(schedule), reason)
    _changed(session, connect(session).send_json(call), "paused")


def resume(session: Session, schedule: _Schedule) -> None:
    """Go on with the next tick; those of the pause are not made up for."""
    call = schedule_calls.resume_schedule(*_parts(schedule))
    _changed(session, connect(session).send_json(call), "goes on")


def _changed(session: Session, item: Mapping[str, Any], verb: str) -> None:
    if session.json:
        output.as_json(item)
        return
    upcoming = "" if item["paused"] else f"; next {_next(item)}"
    output.say(f"{item['agent']}/{item['name']} {verb}{upcoming}")
    if not item["paused"]:
        output.next_step(f"ao schedules next {item['agent']}/{item['name']}")


def trigger(session: Session, schedule: _Schedule, overlap: _Overlap = None) -> None:
    """Make a run now, also while the schedule is paused."""
    made = connect(session).send_json(schedule_calls.trigger_schedule(*_parts(schedule), overlap))
    if session.json:
        output.as_json(made)
        return
    output.data(made["run_id"])
    output.next_step(f"ao logs {made['run_id']} -f")


def backfill(
    session: Session,
    schedule: _Schedule,
    since: Annotated[str, typer.Option("--from", metavar="MOMENT", help="First moment: 2026-11-20, or 3d.")],
    until: Annotated[
        str | None, typer.Option("--to", metavar="MOMENT", help="Last moment; default: now.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, help="A range with more ticks is refused.")
    ] = 100,
    force: Annotated[bool, typer.Option("--force", help="Also ticks that have a run get another one.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Make the runs of past ticks that have none."""
    last = instant(until) if until else None
    call = schedule_calls.backfill_schedule(
        *_parts(schedule), instant(since), last, limit=limit, force=force, dry_run=dry_run
    )
    done = connect(session).send_json(call)
    if session.json:
        output.as_json(done)
    else:
        for tick in done["ticks"]:
            output.data(f"{tick['tick']}  {_backfilled(tick, dry_run)}")
        verb = "would get" if dry_run else "got"
        output.say(f"{done['runs']} of {done['total']} ticks {verb} a run")
    if done["refused"]:
        first = next(tick for tick in done["ticks"] if tick["error"])
        raise QueueFull(
            f"{done['refused']} of {done['total']} ticks found no room in the queue: {first['error']}",
            hint=f"when there is room, go on with: --from {first['tick']}",
        )


def _backfilled(tick: Mapping[str, Any], dry_run: bool) -> str:
    if tick["already"]:
        return f"has {tick['already']}"
    return tick["run_id"] or tick["error"] or ("a run" if dry_run else "-")


def history(
    session: Session,
    schedule: _Schedule,
    outcome: Annotated[TickOutcome | None, typer.Option("--outcome", help="Only these.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most this many.")] = 20,
) -> None:
    """Show what became of each tick, newest first."""
    call = schedule_calls.schedule_ticks(*_parts(schedule), outcome=outcome, limit=limit)
    page = connect(session).send_json(call)
    if session.json:
        output.as_json(page)
        return
    if not page["items"]:
        output.say("no tick has come yet")
        return
    for tick in page["items"]:
        output.data(_line(tick))
    output.more(page, limit)


def _line(tick: Mapping[str, Any]) -> str:
    run = tick["run_id"] or ""
    reason = output.style(tick["reason"], "dim") if tick["reason"] else ""
    return "  ".join(part for part in (tick["tick"], f"{tick['outcome']:<10}", run, reason) if part)


def next_ticks(
    session: Session,
    schedule: _Schedule,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="This many.")] = 5,
) -> None:
    """Show the next ticks, in UTC and in the schedule's time zone."""
    found = connect(session).send_json(schedule_calls.next_ticks(*_parts(schedule), count))
    if session.json:
        output.as_json(found)
        return
    for tick in found:
        output.data(f"{tick['at']}  {tick['local']}  {output.age(tick['at'])}")
    if not found:
        output.say("no tick is left: the schedule has ended")


def _parts(text: str, *, required: bool = False) -> tuple[str, str]:
    agent, slash, name = text.partition("/")
    if required and not (slash and name):
        raise UsageError(f"{text!r} names no schedule", hint="write AGENT/NAME, such as support/nightly")
    return agent_name(agent), agent_name(name) if slash else DECLARED
