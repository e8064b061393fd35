"""Schedules: made, changed, paused, used by hand, and what became of their ticks."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ao.server.operations.schedules import NextQuery, ScheduleOperations, SchedulesQuery, TicksQuery
from ao.server.replies import reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentName
from ao.server.services import Services
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

Name = Annotated[str, Path(pattern=AGENT_NAME, description="The schedule's name.", examples=["nightly"])]


class ScheduleRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = ScheduleOperations(services)

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
        return reply(await self._operations.create(caller_of(request), body), 201)

    async def get_schedule(self, agent: AgentName, name: Name) -> Response:
        """One schedule, with its input."""
        return reply(await self._operations.get(agent, name))

    async def update_schedule(
        self, request: Request, agent: AgentName, name: Name, body: SchedulePatch
    ) -> Response:
        """Change what the body names. A declared one is refused: it changes with the next deploy."""
        return reply(await self._operations.update(caller_of(request), agent, name, body))

    async def delete_schedule(self, request: Request, agent: AgentName, name: Name) -> Response:
        """Remove a schedule. Its runs go on; one that a release declares is refused."""
        await self._operations.delete(caller_of(request), agent, name)
        return Response(status_code=204)

    async def pause_schedule(
        self, request: Request, agent: AgentName, name: Name, body: PauseRequest
    ) -> Response:
        """No ticks until it is resumed; deploys and rollbacks do not change that."""
        return reply(await self._operations.pause(caller_of(request), agent, name, body))

    async def resume_schedule(self, request: Request, agent: AgentName, name: Name) -> Response:
        """Go on with the next tick. Those of the pause are not made up for: a backfill can."""
        return reply(await self._operations.resume(caller_of(request), agent, name))

    async def trigger_schedule(
        self, request: Request, agent: AgentName, name: Name, body: TriggerRequest
    ) -> Response:
        """Make a run now, also while it is paused. 409 when an earlier run is in the way of `skip`."""
        return reply(await self._operations.trigger(caller_of(request), agent, name, body), 201)

    async def backfill_schedule(
        self, request: Request, agent: AgentName, name: Name, body: BackfillRequest
    ) -> Response:
        """Make the runs of past ticks. A tick that has a run gets no other one, unless forced."""
        return reply(await self._operations.backfill(caller_of(request), agent, name, body))

    async def list_schedule_ticks(
        self, agent: AgentName, name: Name, query: Annotated[TicksQuery, Query()]
    ) -> Response:
        """What became of each tick, newest first."""
        return reply(await self._operations.ticks(agent, name, query))

    async def list_next_ticks(
        self, agent: AgentName, name: Name, query: Annotated[NextQuery, Query()]
    ) -> Response:
        """The next ticks, as if it were not paused."""
        return reply_list(await self._operations.upcoming(agent, name, query))
