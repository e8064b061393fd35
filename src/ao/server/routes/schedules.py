"""Schedules: made, changed, paused, used by hand, and what became of their ticks."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from ao.clock import from_datetime
from ao.domain.schedule import TickOutcome
from ao.server.operations.schedules import ScheduleOperations, SchedulesQuery
from ao.server.replies import bad_cursor, cursor, read_cursor, reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentName, Cursor, Limit, actor
from ao.server.schedule_views import backfill_view, schedule_detail, tick_view, upcoming_tick
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
from ao.wire.schemas import AGENT_NAME, Page
from ao.wire.schemas import Request as Strict

Name = Annotated[str, Path(pattern=AGENT_NAME, description="The schedule's name.", examples=["nightly"])]


class TicksQuery(Strict):
    outcome: TickOutcome | None = None
    limit: Limit = 50
    cursor: Cursor = None


class NextQuery(Strict):
    count: int = Field(5, ge=1, le=100)


class ScheduleRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = ScheduleOperations(services)
        self._schedules = services.schedules

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/schedules", tags=["schedules"], route_class=Route)
        add = router.add_api_route
        one = "/{agent}/{name}"
        add("", self.list_schedules, methods=["GET"], response_model=list[ScheduleView])
        add("", self.create_schedule, methods=["POST"], status_code=201, response_model=ScheduleDetail)
        add(one, self.get_schedule, methods=["GET"], response_model=ScheduleDetail)
        add(one, self.update_schedule, methods=["PATCH"], response_model=ScheduleDetail)
        add(one, self.delete_schedule, methods=["DELETE"], status_code=204, response_class=Response)
        add(f"{one}/pause", self.pause_schedule, methods=["POST"], response_model=ScheduleDetail)
        add(f"{one}/resume", self.resume_schedule, methods=["POST"], response_model=ScheduleDetail)
        trigger = f"{one}/trigger"
        add(trigger, self.trigger_schedule, methods=["POST"], status_code=201, response_model=TriggeredView)
        add(f"{one}/backfill", self.backfill_schedule, methods=["POST"], response_model=BackfillView)
        add(f"{one}/ticks", self.list_schedule_ticks, methods=["GET"], response_model=Page[TickView])
        add(f"{one}/next", self.list_next_ticks, methods=["GET"], response_model=list[UpcomingTick])
        return router

    async def list_schedules(self, request: Request, query: Annotated[SchedulesQuery, Query()]) -> Response:
        """What runs by itself, and when next."""
        return reply_list(await self._operations.list(caller_of(request), query))

    async def create_schedule(self, request: Request, body: ScheduleCreate) -> Response:
        """Make a schedule of an agent that is live."""
        caller_of(request).require(body.agent)
        return await self._detail(await self._schedules.create(body, actor(request)), 201)

    async def get_schedule(self, agent: AgentName, name: Name) -> Response:
        """One schedule, with its input."""
        return await self._detail(await self._schedules.get(agent, name))

    async def update_schedule(
        self, request: Request, agent: AgentName, name: Name, body: SchedulePatch
    ) -> Response:
        """Change what the body names. A declared one is refused: it changes with the next deploy."""
        return await self._detail(await self._schedules.update(agent, name, body, actor(request)))

    async def delete_schedule(self, request: Request, agent: AgentName, name: Name) -> Response:
        """Remove a schedule. Its runs go on; one that a release declares is refused."""
        await self._schedules.delete(agent, name, actor(request))
        return Response(status_code=204)

    async def pause_schedule(
        self, request: Request, agent: AgentName, name: Name, body: PauseRequest
    ) -> Response:
        """No ticks until it is resumed; deploys and rollbacks do not change that."""
        return await self._detail(await self._schedules.pause(agent, name, body.reason, actor(request)))

    async def resume_schedule(self, request: Request, agent: AgentName, name: Name) -> Response:
        """Go on with the next tick. Those of the pause are not made up for: a backfill can."""
        return await self._detail(await self._schedules.resume(agent, name, actor(request)))

    async def trigger_schedule(
        self, request: Request, agent: AgentName, name: Name, body: TriggerRequest
    ) -> Response:
        """Make a run now, also while it is paused. 409 when an earlier run is in the way of `skip`."""
        run_id = await self._schedules.trigger(agent, name, actor(request), body.overlap)
        return reply(TriggeredView(run_id=run_id), 201)

    async def backfill_schedule(
        self, request: Request, agent: AgentName, name: Name, body: BackfillRequest
    ) -> Response:
        """Make the runs of past ticks. A tick that has a run gets no other one, unless forced."""
        done = await self._schedules.backfill(
            agent,
            name,
            from_datetime(body.since),
            None if body.until is None else from_datetime(body.until),
            actor(request),
            limit=body.limit,
            force=body.force,
            dry_run=body.dry_run,
        )
        return reply(backfill_view(done, dry_run=body.dry_run))

    async def list_schedule_ticks(
        self, agent: AgentName, name: Name, query: Annotated[TicksQuery, Query()]
    ) -> Response:
        """What became of each tick, newest first."""
        where = TickFilter(query.outcome, before_us=_position(query.cursor))
        found = await self._schedules.history(agent, name, where, query.limit + 1)
        more = cursor(found[query.limit - 1].tick_us) if len(found) > query.limit else None
        items = [tick_view(tick) for tick in found[: query.limit]]
        return reply(Page[TickView].model_construct(items=items, next=more))

    async def list_next_ticks(
        self, agent: AgentName, name: Name, query: Annotated[NextQuery, Query()]
    ) -> Response:
        """The next ticks, as if it were not paused."""
        schedule, ticks = await self._schedules.next_ticks(agent, name, query.count)
        return reply_list([upcoming_tick(tick, schedule.timezone) for tick in ticks])

    async def _detail(self, schedule: Schedule, status: int = 200) -> Response:
        return reply(schedule_detail(schedule, await self._schedules.input_of(schedule)), status)


def _position(text: str | None) -> int | None:
    position = read_cursor(text)
    if position is None:
        return None
    if not position.isdecimal() or len(position) > 18:
        raise bad_cursor()
    return int(position)
