"""Schedules: what runs by itself, and when next."""

from collections.abc import Sequence

from ao.server.roles import Caller
from ao.server.routes.parameters import AgentFilter
from ao.server.schedule_views import schedule_view
from ao.server.services import Services
from ao.wire.schedules import ScheduleView
from ao.wire.schemas import Request


class SchedulesQuery(Request):
    agent: AgentFilter = None


class ScheduleOperations:
    def __init__(self, services: Services) -> None:
        self._schedules = services.schedules

    async def list(self, caller: Caller, query: SchedulesQuery) -> Sequence[ScheduleView]:
        found = await self._schedules.list(query.agent)
        return [schedule_view(entry) for entry in found if caller.sees(entry.agent)]
