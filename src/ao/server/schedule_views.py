"""Schedules as the API shows them."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from ao.clock import to_datetime
from ao.control.schedules import Backfill
from ao.domain.schedule import TickOutcome
from ao.server.views import moment
from ao.store.schedules import Schedule, Tick
from ao.wire import schedules as s


def schedule_view(schedule: Schedule) -> s.ScheduleView:
    return s.ScheduleView.model_construct(**_fields(schedule))


def schedule_detail(schedule: Schedule, input: JsonValue) -> s.ScheduleDetail:
    return s.ScheduleDetail.model_construct(**_fields(schedule), input=input)


def _fields(schedule: Schedule) -> dict[str, Any]:
    pause, problem = schedule.pause, schedule.timetable.problem()
    return {
        "id": schedule.id,
        "agent": schedule.agent,
        "name": schedule.name,
        "environment": schedule.environment,
        "declared": schedule.declared,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "overlap": schedule.overlap,
        "missed": schedule.missed,
        "catch_up_seconds": None if schedule.catch_up_us is None else schedule.catch_up_us / 1e6,
        "start_at": moment(schedule.start_us),
        "end_at": moment(schedule.end_us),
        "priority": schedule.priority,
        "next_at": moment(schedule.next_us),
        "paused": schedule.paused,
        "pause": pause
        and s.PauseView.model_construct(reason=pause.reason, actor=pause.actor, at=to_datetime(pause.at_us)),
        "last_tick_at": moment(schedule.last_tick_us),
        "last_run_id": schedule.last_run_id,
        "last": schedule.last and tick_view(schedule.last),
        "problem": "" if problem is None else problem.message,
        "actor": schedule.actor,
        "created_at": to_datetime(schedule.created_us),
    }


def tick_view(tick: Tick) -> s.TickView:
    blocked = tick.outcome is TickOutcome.SKIPPED
    return s.TickView.model_construct(
        tick=to_datetime(tick.tick_us),
        outcome=tick.outcome,
        run_id=None if blocked else tick.run_id,
        blocked_by=tick.run_id if blocked else None,
        reason=tick.reason,
        at=to_datetime(tick.at_us),
    )


def backfill_view(done: Sequence[Backfill], *, dry_run: bool) -> s.BackfillView:
    return s.BackfillView.model_construct(
        dry_run=dry_run,
        total=len(done),
        runs=sum(1 for entry in done if entry.already is None and (dry_run or entry.run_id)),
        refused=sum(1 for entry in done if entry.error),
        ticks=[
            s.BackfilledTick.model_construct(
                tick=to_datetime(entry.tick_us),
                run_id=entry.run_id,
                already=None if entry.already is None else entry.already.run_id,
                error=entry.error or None,
            )
            for entry in done
        ],
    )


def upcoming_tick(tick_us: int, timezone: str) -> s.UpcomingTick:
    at = to_datetime(tick_us)
    return s.UpcomingTick.model_construct(at=at, local=at.astimezone(ZoneInfo(timezone)).isoformat())
