"""Schedules: what runs by itself, when next, what became of each tick; pause, resume, and a run now."""

from itertools import islice

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.navigation import Crumb
from ao.dashboard.pages.asked import number
from ao.store.schedules import Schedule, TickFilter

TICKS = 50
UPCOMING = 5
MAX_REASON = 1000
SCHEDULES = Crumb("Schedules", "/schedules")


class SchedulePages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._schedules = frame.services.schedules
        self._store = frame.services.store.schedules

    def routes(self) -> list[Route]:
        page, action = self._frame.page, self._frame.action
        one = "/agents/{agent}/schedules/{name}"
        return [
            page("/schedules", self.schedules, "list_schedules"),
            page(one, self.schedule, "get_schedule"),
            action(f"{one}/pause", self.pause, "pause_schedule"),
            action(f"{one}/resume", self.resume, "resume_schedule"),
            action(f"{one}/trigger", self.trigger, "trigger_schedule"),
        ]

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

    async def schedule(self, visit: Visit) -> Response:
        schedule = await self._store.get(visit.path["agent"], visit.path["name"])
        before = number(visit, "before", 0)
        ticks = await self._store.ticks(schedule.id, TickFilter(before_us=before or None), TICKS + 1)
        problem = schedule.timetable.problem()
        upcoming = [] if problem else list(islice(schedule.timetable.upcoming(visit.now_us), UPCOMING))
        name = f"{schedule.agent}/{schedule.name}"
        return self._frame.render(
            visit,
            "schedule.html",
            title=name,
            section="schedules",
            crumbs=(SCHEDULES, Crumb(schedule.agent, f"/agents/{schedule.agent}")),
            schedule=schedule,
            problem=problem.message if problem else "",
            upcoming=upcoming,
            ticks=ticks[:TICKS],
            older=ticks[TICKS - 1].tick_us if len(ticks) > TICKS else None,
            is_first=not before,
            path=_path(schedule),
            max_reason=MAX_REASON,
        )

    async def pause(self, visit: Visit) -> Response:
        reason = visit.form.get("reason", "")[:MAX_REASON]
        changed = await self._schedules.pause(visit.path["agent"], visit.path["name"], reason, visit.actor)
        return redirect(_path(changed))

    async def resume(self, visit: Visit) -> Response:
        return redirect(
            _path(await self._schedules.resume(visit.path["agent"], visit.path["name"], visit.actor))
        )

    async def trigger(self, visit: Visit) -> Response:
        """Make a run now; it is shown."""
        made = await self._schedules.trigger(visit.path["agent"], visit.path["name"], visit.actor)
        return redirect(f"/runs/{made}")


def _path(schedule: Schedule) -> str:
    return f"/agents/{schedule.agent}/schedules/{schedule.name}"
