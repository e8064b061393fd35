"""Schedules as `Call`s; see `ao.client.calls`."""

from typing import TYPE_CHECKING, TypedDict, Unpack
from urllib.parse import quote

from ao.client.calls import listed, nothing, one, page
from ao.client.wire import Call

if TYPE_CHECKING:
    from ao.wire.schedules import (
        BackfillView,
        ScheduleDetail,
        ScheduleView,
        TickView,
        TriggeredView,
        UpcomingTick,
    )
    from ao.wire.schemas import Page

_ALL = "/v1/schedules"


class ScheduleFields(TypedDict, total=False):
    """What a schedule has and what can be changed; instants are ISO 8601 with a time zone."""

    cron: str
    """An expression, or such as `@every 15m`."""
    timezone: str
    input: object
    overlap: str
    """`skip`, `queue`, `cancel_previous` or `allow`."""
    missed: str
    """`skip`, `latest` or `all`."""
    catch_up_seconds: float | None
    start_at: str | None
    end_at: str | None
    priority: int


class NewSchedule(ScheduleFields, total=False):
    environment: str
    paused: bool


class BackfillOptions(TypedDict, total=False):
    limit: int
    """A range with more ticks is refused."""
    force: bool
    """Also ticks that have a run get one."""
    dry_run: bool


def list_schedules(agent: str | None = None) -> "Call[list[ScheduleView]]":
    return Call("GET", _ALL, listed("schedules.ScheduleView"), {"agent": agent})


def get_schedule(agent: str, name: str) -> "Call[ScheduleDetail]":
    return Call("GET", _one(agent, name), one("schedules.ScheduleDetail"))


def create_schedule(agent: str, name: str, **fields: Unpack[NewSchedule]) -> "Call[ScheduleDetail]":
    """Not repeatable: the second time the name is taken."""
    body = {"agent": agent, "name": name, **fields}
    return Call("POST", _ALL, one("schedules.ScheduleDetail"), body=body, repeatable=False)


def update_schedule(agent: str, name: str, **fields: Unpack[ScheduleFields]) -> "Call[ScheduleDetail]":
    return Call("PATCH", _one(agent, name), one("schedules.ScheduleDetail"), body=dict(fields))


def delete_schedule(agent: str, name: str) -> Call[None]:
    """Not repeatable: the second time there is nothing to delete."""
    return Call("DELETE", _one(agent, name), nothing, repeatable=False)


def pause_schedule(agent: str, name: str, reason: str = "") -> "Call[ScheduleDetail]":
    return Call("POST", _one(agent, name, "/pause"), one("schedules.ScheduleDetail"), body={"reason": reason})


def resume_schedule(agent: str, name: str) -> "Call[ScheduleDetail]":
    return Call("POST", _one(agent, name, "/resume"), one("schedules.ScheduleDetail"))


def trigger_schedule(agent: str, name: str, overlap: str | None = None) -> "Call[TriggeredView]":
    """Not repeatable: each makes a run."""
    body = {"overlap": overlap}
    path = _one(agent, name, "/trigger")
    return Call("POST", path, one("schedules.TriggeredView"), body=body, repeatable=False)


def backfill_schedule(
    agent: str,
    name: str,
    since: str,
    until: str | None = None,
    *,
    limit: int = 100,
    force: bool = False,
    dry_run: bool = False,
) -> "Call[BackfillView]":
    """Repeatable unless forced: a tick gets one run."""
    body = {"since": since, "until": until, "limit": limit, "force": force, "dry_run": dry_run}
    path = _one(agent, name, "/backfill")
    return Call("POST", path, one("schedules.BackfillView"), body=body, repeatable=not force)


def schedule_ticks(
    agent: str, name: str, *, outcome: str | None = None, limit: int = 50, cursor: str | None = None
) -> "Call[Page[TickView]]":
    query = {"outcome": outcome, "limit": limit, "cursor": cursor}
    return Call("GET", _one(agent, name, "/ticks"), page("schedules.TickView"), query)


def next_ticks(agent: str, name: str, count: int = 5) -> "Call[list[UpcomingTick]]":
    return Call("GET", _one(agent, name, "/next"), listed("schedules.UpcomingTick"), {"count": count})


def _one(agent: str, name: str, rest: str = "") -> str:
    return f"{_ALL}/{quote(agent, safe='')}/{quote(name, safe='')}{rest}"
