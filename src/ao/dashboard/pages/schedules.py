"""Schedules: what runs by itself, and when next."""

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit


class SchedulePages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._schedules = frame.services.schedules

    def routes(self) -> list[Route]:
        return [self._frame.page("/schedules", self.schedules, "list_schedules")]

    async def schedules(self, visit: Visit) -> Response:
        found = [
            schedule
            for schedule in await self._schedules.list()
            if not visit.scope or schedule.agent in visit.scope
        ]
        found.sort(key=lambda schedule: (schedule.paused, schedule.next_us is None, schedule.next_us))
        problems = {
            schedule.id: problem.message
            for schedule in found
            if (problem := schedule.timetable.problem()) is not None
        }
        return self._frame.render(
            visit,
            "schedules.html",
            title="Schedules",
            section="schedules",
            schedules=found,
            problems=problems,
        )
