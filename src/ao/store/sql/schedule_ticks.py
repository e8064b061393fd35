"""Ticks that become runs: once, and by the overlap policy as things are in that very write."""

from collections.abc import Sequence
from dataclasses import replace

from ao.domain.run import RunState
from ao.domain.schedule import Overlap, TickOutcome, still_going
from ao.ids import RunId
from ao.store.records import NewRun
from ao.store.schedules import Fired, PlannedTick, Schedule
from ao.store.sql import attempts
from ao.store.sql import schedule_sql as sql
from ao.store.sql.engine import Tx
from ao.store.sql.runs import create_run


def fire(tx: Tx, schedule: Schedule, ticks: Sequence[PlannedTick]) -> Fired:
    """The caller holds the schedule's row. Runs that are made together are not in each other's way."""
    before = _open_runs(tx, schedule)
    made: list[RunId] = []
    skipped: list[RunId] = []
    cancelled: list[tuple[RunId, RunState]] = []
    for tick in ticks:
        if tick.run is None:
            _note(tx, sql.NOTE_TICK, schedule, tick.tick_us, tick.outcome, None, tick.reason)
        elif before and schedule.overlap is Overlap.SKIP:
            reason = f"run {before[-1]} had not ended"
            if _note(tx, sql.SKIP_TICK, schedule, tick.tick_us, TickOutcome.SKIPPED, before[-1], reason):
                skipped.append(before[-1])
        elif _note(tx, sql.FIRE_TICK, schedule, tick.tick_us, TickOutcome.FIRED, tick.run.id):
            if schedule.overlap is Overlap.CANCEL_PREVIOUS and not cancelled:
                cancelled += _cancel(tx, schedule, before)
            _make(tx, schedule, tick.run)
            made.append(tick.run.id)
    return Fired(made, skipped, cancelled)


def trigger(tx: Tx, schedule: Schedule, run: NewRun) -> Fired:
    """The caller holds the schedule's row."""
    before = _open_runs(tx, schedule)
    if before and schedule.overlap is Overlap.SKIP:
        raise still_going(f"{schedule.agent}/{schedule.name}", before[-1])
    tick_us = tx.now_us
    while not _note(tx, sql.NOTE_TICK, schedule, tick_us, TickOutcome.TRIGGERED, run.id, f"by {run.actor}"):
        tick_us += 1  # something happened in the same microsecond
    cancelled = _cancel(tx, schedule, before) if schedule.overlap is Overlap.CANCEL_PREVIOUS else []
    _make(tx, schedule, replace(run, tick_us=tick_us))
    return Fired([run.id], cancelled=cancelled)


def backfill(tx: Tx, schedule: Schedule, runs: Sequence[NewRun], *, force: bool) -> Fired:
    put = sql.REPLACE_TICK if force else sql.MAKE_UP_TICK
    made = []
    for run in runs:
        if _note(tx, put, schedule, _tick_of(run), TickOutcome.BACKFILLED, run.id, f"by {run.actor}"):
            create_run(tx, run)
            made.append(run.id)
    return Fired(made)


def _note(
    tx: Tx,
    put: str,
    schedule: Schedule,
    tick_us: int,
    outcome: TickOutcome,
    run_id: RunId | None,
    reason: str = "",
) -> bool:
    """Write a line of history; False when the tick has one that stays."""
    line = {
        "schedule_id": schedule.id,
        "tick_us": tick_us,
        "outcome": outcome,
        "run_id": run_id or "",
        "reason": reason,
    }
    return tx.count(put, line) > 0


def _make(tx: Tx, schedule: Schedule, run: NewRun) -> None:
    create_run(tx, run)
    made = {"schedule_id": schedule.id, "run_id": run.id, "tick_us": _tick_of(run)}
    tx.run(sql.ADD_OPEN, made)
    tx.run(sql.LAST_RUN, made)


def _open_runs(tx: Tx, schedule: Schedule) -> list[RunId]:
    """Runs of fired and triggered ticks that have not ended, oldest first."""
    of = {"schedule_id": schedule.id}
    tx.run(sql.DROP_ENDED, of)
    return [RunId(row[0]) for row in tx.all(sql.OPEN_RUNS, of)]


def _cancel(tx: Tx, schedule: Schedule, runs: Sequence[RunId]) -> list[tuple[RunId, RunState]]:
    return [(run, attempts.cancel(tx, run, f"schedule:{schedule.id}").state) for run in runs]


def _tick_of(run: NewRun) -> int:
    if run.tick_us is None:
        raise ValueError("a scheduled run names its tick")
    return run.tick_us
