"""What a run printed, for the scripts of its page: earlier lines, matches, all of it as a file."""

from collections.abc import AsyncIterator

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ao.control.logs import AFTER_ALL
from ao.dashboard.frame import Frame, Visit
from ao.dashboard.pages.asked import number, run_id_of, search_of, short
from ao.domain.errors import InvalidInput
from ao.ids import RunId
from ao.server.replies import reply, reply_list

MAX_LINES = 5000
MATCHES = 500
"""In one answer; the page asks for the next ones."""


class LogPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._services = frame.services

    def routes(self) -> list[Route]:
        page = self._frame.page
        return [
            page("/runs/{run_id}/lines", self.lines, "get_run_logs"),
            page("/runs/{run_id}/search", self.search, "search_run_logs"),
            page("/runs/{run_id}/log.txt", self.text, "get_run_logs"),
        ]

    async def lines(self, visit: Visit) -> Response:
        """The last `count` lines before a seq."""
        run_id = run_id_of(visit)
        before = number(visit, "before", AFTER_ALL)
        count = min(number(visit, "count", MAX_LINES), MAX_LINES)
        return reply_list(await self._services.logs.last(run_id, count, before=before))

    async def search(self, visit: Visit) -> Response:
        run_id = run_id_of(visit)
        after = number(visit, "after", 0)
        try:
            return reply(await self._services.logs.search(run_id, search_of(visit.query), after, MATCHES))
        except InvalidInput as error:
            return JSONResponse({"error": error.message}, 422)

    async def text(self, visit: Visit) -> Response:
        """All lines as they were printed, with time, attempt and stream."""
        run = await self._services.runs.get(run_id_of(visit))
        headers = {"content-disposition": f'attachment; filename="{run.agent}-{short(run.id)}.log"'}
        return StreamingResponse(self._all(run.id), headers=headers, media_type="text/plain; charset=utf-8")

    async def _all(self, run_id: RunId) -> AsyncIterator[bytes]:
        after = 0
        while lines := await self._services.logs.after(run_id, after):
            after = lines[-1].seq
            yield "".join(
                f"{line.at.isoformat(timespec='microseconds')} {line.attempt} {line.stream} {line.text}\n"
                for line in lines
            ).encode("utf-8", "replace")
