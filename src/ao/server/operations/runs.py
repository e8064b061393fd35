"""Runs: create, follow, cancel."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ao.clock import from_datetime
from ao.control.logs import AFTER_ALL, LogSearch
from ao.domain.access import Permission
from ao.domain.errors import InvalidInput, Problem
from ao.domain.event import Event
from ao.domain.run import RunState
from ao.ids import RunId
from ao.server.operations.pages import cut, id_before
from ao.server.roles import Caller
from ao.server.routes.parameters import After, AgentFilter, Cursor, Limit, Wait
from ao.server.services import Services
from ao.server.views import attempt_view, run_summary, run_view
from ao.store.records import Created, Run, RunFilter
from ao.wire.instants import Instant
from ao.wire.live import Disconnect
from ao.wire.schemas import (
    AGENT_NAME,
    MAX_VERSION,
    SESSION_ID,
    AttemptView,
    LogLine,
    LogMatches,
    Page,
    Request,
    RunCreate,
    RunSummary,
    RunView,
)

DEFAULT_TAIL = 1000
"""Lines, when only `before` is given."""
JUST_ACCEPTED = "it was accepted just now"


class WaitQuery(Request):
    wait: Wait = 0.0


class RunsQuery(Request):
    agent: AgentFilter = None
    assistant: str | None = Field(
        None, pattern=AGENT_NAME, description="Only runs of this assistant; an agent's name means its own."
    )
    state: list[RunState] = Field(default_factory=list, description="May be repeated.")
    version: int | None = Field(None, ge=1, le=MAX_VERSION)
    session: str | None = Field(None, pattern=SESSION_ID, description="Of this session of `agent`.")
    limit: Limit = 50
    cursor: Cursor = None


class EventsQuery(Request):
    after: After = 0
    limit: Limit = 1000


class LogsQuery(Request):
    after: After = 0
    before: After | None = Field(None, description="Only what has a seq below this.")
    tail: int | None = Field(None, ge=0, le=100_000, description="Only the last lines, this many.")


class SearchQuery(Request):
    q: str = Field("", max_length=1000, description="What to look for; empty: every line.")
    regex: bool = Field(False, description="`q` is a regular expression (RE2).")
    case: bool = Field(False, description="Upper and lower case differ.")
    stream: Literal["stdout", "stderr"] | None = None
    since: Instant | None = Field(None, description="Only lines from this instant on.")
    until: Instant | None = Field(None, description="Only lines before this instant.")
    after: After = 0
    limit: Limit = 200


class JoinQuery(Request):
    after: After = 0
    on_disconnect: Disconnect = Field(
        "continue", description="`cancel` cancels the run when this connection is lost before its end."
    )


class RunOperations:
    def __init__(self, services: Services) -> None:
        self._runs = services.runs
        self._logs = services.logs
        self._closing = services.closing

    async def accept(self, caller: Caller, body: RunCreate) -> Created:
        """It is durable."""
        await self._require(caller, body)
        return await self._runs.accept(body, caller.actor)

    async def accepted(self, created: Created, body: RunCreate, wait: float) -> RunView:
        """The run that was accepted, when it has ended or so many seconds later."""
        if wait:
            run = await self._ended(created.run_id, wait, accepted_now=created.is_new)
        else:
            run = await self._runs.get(created.run_id)
            if created.is_new and run.head.state is RunState.PENDING:
                # The answer to most submits: nothing needs to be looked up to say why it is pending.
                return run_view(run, body.input, None, JUST_ACCEPTED)
        return await self.view(run)

    async def begin(self, caller: Caller, body: RunCreate) -> Run:
        """The run of somebody who stays on the line."""
        await self._require(caller, body)
        run, _ = await self._runs.create(body, caller.actor)
        return run

    async def _require(self, caller: Caller, body: RunCreate) -> None:
        """Where the key has no scope, it does not matter whose the assistant is."""
        if body.agent is not None or caller.scope:
            caller.require(await self._runs.agent_asked_for(body))

    async def join(self, caller: Caller, run_id: str, policy: Disconnect) -> Run:
        run = await self._runs.get(RunId(run_id))
        if policy == "cancel":
            caller.require(run.agent, Permission.RUN)
        return run

    async def get(self, run_id: str, wait: float) -> RunView:
        run = await self._ended(RunId(run_id), wait) if wait else await self._runs.get(RunId(run_id))
        return await self.view(run)

    async def list(self, caller: Caller, query: RunsQuery) -> Page[RunSummary]:
        before = id_before(query.cursor)
        scope = caller.scope if query.agent is None else ()
        if query.session is not None and query.agent is None:
            problem = Problem("session", "needs `agent`: each agent has sessions of its own")
            raise InvalidInput(f"session {problem.message}", problems=[problem])
        after = RunId(before) if before else None
        where = RunFilter(query.agent, query.state, query.version, after, scope, query.session, query.assistant)
        found, more = cut(await self._runs.list(where, query.limit + 1), query.limit, lambda run: run.id)
        return Page[RunSummary].model_construct(items=[run_summary(run) for run in found], next=more)

    async def cancel(self, caller: Caller, run_id: str) -> RunView:
        return await self.view(await self._runs.cancel(RunId(run_id), caller.actor))

    async def events(self, run_id: str, after: int, limit: int) -> Sequence[Event]:
        run = await self._runs.get(RunId(run_id))
        return await self._runs.events(run.id, after, limit)

    async def logs(self, run_id: str, query: LogsQuery) -> Sequence[LogLine]:
        run = await self._runs.get(RunId(run_id))
        if query.tail is None and query.before is None:
            return await self._logs.after(run.id, query.after)
        count = DEFAULT_TAIL if query.tail is None else query.tail
        before = AFTER_ALL if query.before is None else query.before
        return await self._logs.last(run.id, count, before=before, after=query.after)

    async def search(self, run_id: str, query: SearchQuery) -> LogMatches:
        run = await self._runs.get(RunId(run_id))
        return await self._logs.search(run.id, search_of(query), query.after, query.limit)

    async def attempts(self, run_id: str) -> Sequence[AttemptView]:
        return [attempt_view(attempt) for attempt in await self._runs.attempts(RunId(run_id))]

    async def view(self, run: Run) -> RunView:
        """All there is to see of a run."""
        input_value = await self._runs.payload(run.input)
        output = await self._runs.payload(run.output)
        why = await self._runs.why_pending(run) if run.head.state is RunState.PENDING else None
        return run_view(run, input_value, output, why)

    async def _ended(self, run_id: RunId, seconds: float, *, accepted_now: bool = False) -> Run:
        """The run when it ends, when the time is over or when the server closes."""
        try:
            async with self._closing.interruptible():
                return await self._runs.wait(run_id, seconds, accepted_now=accepted_now)
        except TimeoutError:
            return await self._runs.get(run_id)


def search_of(query: SearchQuery) -> LogSearch:
    since_us = 0 if query.since is None else from_datetime(query.since)
    until_us = None if query.until is None else from_datetime(query.until)
    return LogSearch(query.q, query.regex, query.case, query.stream, since_us, until_us)
