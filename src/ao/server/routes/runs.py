"""Runs: create, follow, cancel."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field

from ao.bus import run_topic
from ao.clock import from_datetime
from ao.control.logs import AFTER_ALL, LogSearch
from ao.domain.errors import IdempotencyConflict, Problem
from ao.domain.run import RunState
from ao.ids import RunId
from ao.server.replies import bad_cursor, cursor, read_cursor, reply, reply_list
from ao.server.roles import require_agent, scope_of
from ao.server.route import Route
from ao.server.routes.parameters import After, AgentFilter, Cursor, Instant, Limit, RunIdText, Wait, actor
from ao.server.run_stream import api_events
from ao.server.services import Services
from ao.server.stream import DOCUMENTED, EventStream, resume_after, wants_stream
from ao.server.views import attempt_view, event_view, run_summary, run_view
from ao.store.records import Run, RunFilter
from ao.wire.schemas import (
    MAX_VERSION,
    AttemptView,
    EventView,
    LogLine,
    LogMatches,
    Page,
    RunCreate,
    RunSummary,
    RunView,
)
from ao.wire.schemas import Request as Strict

DEFAULT_TAIL = 1000
"""Lines, when only `before` is given."""
JUST_ACCEPTED = "it was accepted just now"
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


class WaitQuery(Strict):
    wait: Wait = 0.0


class RunsQuery(Strict):
    agent: AgentFilter = None
    state: list[RunState] = Field(default_factory=list, description="May be repeated.")
    version: int | None = Field(None, ge=1, le=MAX_VERSION)
    limit: Limit = 50
    cursor: Cursor = None


class EventsQuery(Strict):
    after: After = 0
    limit: Limit = 1000


class LogsQuery(Strict):
    after: After = 0
    before: After | None = Field(None, description="Only what has a seq below this.")
    tail: int | None = Field(None, ge=0, le=100_000, description="Only the last lines, this many.")


class SearchQuery(Strict):
    q: str = Field("", max_length=1000, description="What to look for; empty: every line.")
    regex: bool = Field(False, description="`q` is a regular expression (RE2).")
    case: bool = Field(False, description="Upper and lower case differ.")
    stream: Literal["stdout", "stderr"] | None = None
    since: Instant | None = Field(None, description="Only lines from this instant on.")
    until: Instant | None = Field(None, description="Only lines before this instant.")
    after: After = 0
    limit: Limit = 200


def with_key(body: RunCreate, key: str | None) -> RunCreate:
    """The request with the key of the header, where there is one. Two different keys are refused."""
    if key is None or key == body.idempotency_key:
        return body
    if body.idempotency_key is not None:
        problem = Problem("idempotency_key", "differs from the Idempotency-Key header")
        raise IdempotencyConflict("two different idempotency keys", hint="send one", problems=[problem])
    return body.model_copy(update={"idempotency_key": key})


def search_of(query: SearchQuery) -> LogSearch:
    since_us = 0 if query.since is None else from_datetime(query.since)
    until_us = None if query.until is None else from_datetime(query.until)
    return LogSearch(query.q, query.regex, query.case, query.stream, since_us, until_us)


class RunRoutes:
    def __init__(self, services: Services) -> None:
        self._runs = services.runs
        self._logs = services.logs
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
        require_agent(request, body.agent)
        created = await self._runs.accept(with_key(body, key), actor(request))
        location = {"location": f"/v1/runs/{created.run_id}"}
        if query.wait:
            run = await self._ended(created.run_id, query.wait, accepted_now=created.is_new)
        else:
            run = await self._runs.get(created.run_id)
            if created.is_new and run.head.state is RunState.PENDING:
                # The answer to most submits: nothing needs to be looked up to say why it is pending.
                return reply(run_view(run, body.input, None, JUST_ACCEPTED), 201, location)
        return reply(await self.view(run), 201 if created.is_new else 200, location)

    async def get_run(self, run_id: RunIdText, query: Annotated[WaitQuery, Query()]) -> Response:
        """One run, with its input, output and error."""
        run = (
            await self._ended(RunId(run_id), query.wait) if query.wait else await self._runs.get(RunId(run_id))
        )
        return reply(await self.view(run))

    async def list_runs(self, request: Request, query: Annotated[RunsQuery, Query()]) -> Response:
        """Runs, newest first."""
        before = read_cursor(query.cursor)
        if before is not None and len(before) != 36:
            raise bad_cursor()
        scope = scope_of(request) if query.agent is None else ()
        where = RunFilter(query.agent, query.state, query.version, RunId(before) if before else None, scope)
        runs = await self._runs.list(where, query.limit + 1)
        more = cursor(runs[query.limit - 1].id) if len(runs) > query.limit else None
        items = [run_summary(run) for run in runs[: query.limit]]
        return reply(Page[RunSummary].model_construct(items=items, next=more))

    async def cancel_run(self, request: Request, run_id: RunIdText) -> Response:
        """Cancel a run: a pending one ends at once, a running one as soon as its worker has stopped it."""
        return reply(await self.view(await self._runs.cancel(RunId(run_id), actor(request))))

    async def get_run_events(
        self, request: Request, run_id: RunIdText, query: Annotated[EventsQuery, Query()]
    ) -> Response:
        """Events in order: as JSON, or with `Accept: text/event-stream` live until the run has ended.

        A stream's `id` is the event's seq; `Last-Event-ID` resumes without gap or repeat.
        """
        run = await self._runs.get(RunId(run_id))
        after = resume_after(request, query.after)
        if wants_stream(request):
            source = api_events(self._runs, run)
            return EventStream(source.read, after, self._bus, run_topic(run_id), self._closing)
        events = await self._runs.events(run.id, after, query.limit)
        return reply_list([event_view(event) for event in events])

    async def get_run_logs(self, run_id: RunIdText, query: Annotated[LogsQuery, Query()]) -> Response:
        """Lines of stdout and stderr of all attempts, in order."""
        run = await self._runs.get(RunId(run_id))
        if query.tail is None and query.before is None:
            return reply_list(await self._logs.after(run.id, query.after))
        count = DEFAULT_TAIL if query.tail is None else query.tail
        before = AFTER_ALL if query.before is None else query.before
        return reply_list(await self._logs.last(run.id, count, before=before, after=query.after))

    async def search_run_logs(self, run_id: RunIdText, query: Annotated[SearchQuery, Query()]) -> Response:
        """Lines of stdout and stderr that match, in order.

        The lines of one event come together. Go on with `after` = `last_seq` until it is `complete`.
        """
        run = await self._runs.get(RunId(run_id))
        return reply(await self._logs.search(run.id, search_of(query), query.after, query.limit))

    async def list_run_attempts(self, run_id: RunIdText) -> Response:
        """Every try of the run, with the error that caused the next one."""
        return reply_list([attempt_view(attempt) for attempt in await self._runs.attempts(RunId(run_id))])

    async def _ended(self, run_id: RunId, seconds: float, *, accepted_now: bool = False) -> Run:
        """The run when it ends, when the time is over or when the server closes."""
        try:
            async with self._closing.interruptible():
                return await self._runs.wait(run_id, seconds, accepted_now=accepted_now)
        except TimeoutError:
            return await self._runs.get(run_id)

    async def view(self, run: Run) -> RunView:
        """All there is to see of a run."""
        input_value = await self._runs.payload(run.input)
        output = await self._runs.payload(run.output)
        why = await self._runs.why_pending(run) if run.head.state is RunState.PENDING else None
        return run_view(run, input_value, output, why)
