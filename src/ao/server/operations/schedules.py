"""Schedules: made, changed, paused, used by hand, and what became of their ticks."""

from collections.abc import Sequence

from pydantic import Field

from ao.clock import from_datetime
from ao.domain.schedule import TickOutcome
from ao.server.operations.pages import cut, instant_before
from ao.server.roles import Caller
from ao.server.routes.parameters import AgentFilter, Cursor, Limit
from ao.server.schedule_views import backfill_view, schedule_detail, schedule_view, tick_view, upcoming_tick
from ao.server.services import Services
from ao.store.schedules import Schedule, TickFilter
from ao.wire.schedules import (
    BackfillRequest,
    BackfillView,
    PauseRequest,
    ScheduleCreate,
    ScheduleDetail,
    SchedulePatch,
    ScheduleView,
    TickView,
    TriggeredView,
    TriggerRequest,
    UpcomingTick,
)
from ao.wire.schemas import Page, Request


class SchedulesQuery(Request):
    agent: AgentFilter = None


class TicksQuery(Request):
    outcome: TickOutcome | None = None
    limit: Limit = 50
    cursor: Cursor = None


class NextQuery(Request):
    count: int = Field(5, ge=1, le=100)


class ScheduleOperations:
    def __init__(self, services: Services) -> None:
        self._schedules = services.schedules

    async def list(self, caller: Caller, query: SchedulesQuery) -> Sequence[ScheduleView]:
        found = await self._schedules.list(query.agent)
        return [schedule_view(entry) for entry in found if caller.sees(entry.agent)]

    async def create(self, caller: Caller, body: ScheduleCreate) -> ScheduleDetail:
        caller.require(body.agent)
        return await self._detail(await self._schedules.create(body, caller.actor))

    async def get(self, agent: str, name: str) -> ScheduleDetail:
        return await self._detail(await self._schedules.get(agent, name))

    async def update(self, caller: Caller, agent: str, name: str, body: SchedulePatch) -> ScheduleDetail:
        return await self._detail(await self._schedules.update(agent, name, body, caller.actor))

    async def delete(self, caller: Caller, agent: str, name: str) -> None:
        await self._schedules.delete(agent, name, caller.actor)

    async def pause(self, caller: Caller, agent: str, name: str, body: PauseRequest) -> ScheduleDetail:
        return await self._detail(await self._schedules.pause(agent, name, body.reason, caller.actor))

    async def resume(self, caller: Caller, agent: str, name: str) -> ScheduleDetail:
        return await self._detail(await self._schedules.resume(agent, name, caller.actor))

    async def trigger(self, caller: Caller, agent: str, name: str, body: TriggerRequest) -> TriggeredView:
        return TriggeredView(run_id=await self._schedules.trigger(agent, name, caller.actor, body.overlap))

    async def backfill(self, caller: Caller, agent: str, name: str, body: BackfillRequest) -> BackfillView:
        done = await self._schedules.backfill(
            agent,
            name,
            from_datetime(body.since),
            None if body.until is None else from_datetime(body.until),
            caller.actor,
            limit=body.limit,
            force=body.force,
            dry_run=body.dry_run,
        )
        return backfill_view(done, dry_run=body.dry_run)

    async def ticks(self, agent: str, name: str, query: TicksQuery) -> Page[TickView]:
        where = TickFilter(query.outcome, before_us=instant_before(query.cursor))
        ticks = await self._schedules.history(agent, name, where, query.limit + 1)
        found, more = cut(ticks, query.limit, lambda each: each.tick_us)
        return Page[TickView].model_construct(items=[tick_view(each) for each in found], next=more)

    async def upcoming(self, agent: str, name: str, query: NextQuery) -> Sequence[UpcomingTick]:
        schedule, ticks = await self._schedules.next_ticks(agent, name, query.count)
        return [upcoming_tick(tick, schedule.timezone) for tick in ticks]

    async def _detail(self, schedule: Schedule) -> ScheduleDetail:
        return schedule_detail(schedule, await self._schedules.input_of(schedule))
