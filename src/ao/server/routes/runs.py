"""Runs: create, follow, cancel."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from ao.bus import run_topic
from ao.domain.errors import IdempotencyConflict, Problem
from ao.ids import RunId
from ao.server.operations.runs import (
    EventsQuery,
    LogsQuery,
    RunOperations,
    RunsQuery,
    SearchQuery,
    WaitQuery,
)
from ao.server.replies import reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import RunIdText
from ao.server.run_stream import api_events
from ao.server.services import Services
from ao.server.stream import DOCUMENTED, EventStream, resume_after, wants_stream
from ao.server.views import event_view
from ao.wire.schemas import AttemptView, EventView, LogLine, LogMatches, Page, RunCreate, RunSummary, RunView

_REPEATED: dict[int | str, dict[str, Any]] = {
    200: {"model": RunView, "description": "The run that this idempotency key made before."}
}


KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="In place of `idempotency_key` in the body.",
    ),
]


def with_key(body: RunCreate, key: str | None) -> RunCreate:
    """The request with the key of the header, where there is one. Two different keys are refused."""
    if key is None or key == body.idempotency_key:
        return body
    if body.idempotency_key is not None:
        problem = Problem("idempotency_key", "differs from the Idempotency-Key header")
        raise IdempotencyConflict("two different idempotency keys", hint="send one", problems=[problem])
    return body.model_copy(update={"idempotency_key": key})


class RunRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = RunOperations(services)
        self._runs = services.runs
        self._bus = services.bus
        self._closing = services.closing

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=Route)
        add = router.add_api_route
        add("", self.create_run, methods=["POST"], status_code=201, response_model=RunView, responses=_REPEATED)
        add("/{run_id}", self.get_run, methods=["GET"], response_model=RunView)
        add("", self.list_runs, methods=["GET"], response_model=Page[RunSummary])
        add("/{run_id}/cancel", self.cancel_run, methods=["POST"], response_model=RunView)
        events = list[EventView]
        add("/{run_id}/events", self.get_run_events, methods=["GET"], response_model=events, **DOCUMENTED)
        add("/{run_id}/logs", self.get_run_logs, methods=["GET"], response_model=list[LogLine])
        add("/{run_id}/logs/search", self.search_run_logs, methods=["GET"], response_model=LogMatches)
        add("/{run_id}/attempts", self.list_run_attempts, methods=["GET"], response_model=list[AttemptView])
        return router

    async def create_run(
        self, request: Request, body: RunCreate, query: Annotated[WaitQuery, Query()], key: KeyHeader = None
    ) -> Response:
        """Accept a run. It is durable when the answer is sent, and starts as soon as a slot is free."""
        created = await self._operations.accept(caller_of(request), with_key(body, key))
        view = await self._operations.accepted(created, body, query.wait)
        return reply(view, 201 if created.is_new else 200, {"location": f"/v1/runs/{view.id}"})

    async def get_run(self, run_id: RunIdText, query: Annotated[WaitQuery, Query()]) -> Response:
        """One run, with its input, output and error."""
        return reply(await self._operations.get(run_id, query.wait))

    async def list_runs(self, request: Request, query: Annotated[RunsQuery, Query()]) -> Response:
        """Runs, newest first."""
        return reply(await self._operations.list(caller_of(request), query))

    async def cancel_run(self, request: Request, run_id: RunIdText) -> Response:
        """Cancel a run: a pending one ends at once, a running one as soon as its worker has stopped it."""
        return reply(await self._operations.cancel(caller_of(request), run_id))

    async def get_run_events(
        self, request: Request, run_id: RunIdText, query: Annotated[EventsQuery, Query()]
    ) -> Response:
        """Events in order: as JSON, or with `Accept: text/event-stream` live until the run has ended.

        A stream's `id` is the event's seq; `Last-Event-ID` resumes without gap or repeat.
        """
        after = resume_after(request, query.after)
        if wants_stream(request):
            source = api_events(self._runs, await self._runs.get(RunId(run_id)))
            return EventStream(source.read, after, self._bus, run_topic(run_id), self._closing)
        events = await self._operations.events(run_id, after, query.limit)
        return reply_list([event_view(event) for event in events])

    async def get_run_logs(self, run_id: RunIdText, query: Annotated[LogsQuery, Query()]) -> Response:
        """Lines of stdout and stderr of all attempts, in order."""
        return reply_list(await self._operations.logs(run_id, query))

    async def search_run_logs(self, run_id: RunIdText, query: Annotated[SearchQuery, Query()]) -> Response:
        """Lines of stdout and stderr that match, in order.

        The lines of one event come together. Go on with `after` = `last_seq` until it is `complete`.
        """
        return reply(await self._operations.search(run_id, query))

    async def list_run_attempts(self, run_id: RunIdText) -> Response:
        """Every try of the run, with the error that caused the next one."""
        return reply_list(await self._operations.attempts(run_id))
