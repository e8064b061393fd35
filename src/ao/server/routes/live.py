"""Runs whose caller stays on the line: wait for the result, or watch the events."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from ao.bus import run_topic
from ao.domain.access import Permission, require
from ao.ids import RunId
from ao.server.replies import encode
from ao.server.roles import key_of, require_agent
from ao.server.route import Route
from ao.server.routes.parameters import After, RunIdText, actor
from ao.server.routes.runs import KeyHeader, RunRoutes, with_key
from ao.server.run_stream import WaitAnswer, api_events
from ao.server.services import Services
from ao.server.stream import DOCUMENTED_STREAM, EventStream, resume_after
from ao.store.records import Run
from ao.wire.live import Disconnect, RunLive
from ao.wire.schemas import Request as Strict
from ao.wire.schemas import RunView


class JoinQuery(Strict):
    after: After = 0
    on_disconnect: Disconnect = Field(
        "continue", description="`cancel` cancels the run when this connection is lost before its end."
    )


class LiveRoutes:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._runs = services.runs
        self._views = RunRoutes(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=Route)
        add = router.add_api_route
        add("/wait", self.create_run_wait, methods=["POST"], response_model=RunView)
        stream = DOCUMENTED_STREAM
        add("/stream", self.create_run_stream, methods=["POST"], response_class=Response, **stream)
        add("/{run_id}/stream", self.get_run_stream, methods=["GET"], response_class=Response, **stream)
        return router

    async def create_run_wait(self, request: Request, body: RunLive, key: KeyHeader = None) -> Response:
        """Run an agent and answer with its result, however long it takes.

        The status is 200 as soon as the run is durable, with its address in `Location`; white space keeps the
        connection alive until the run follows. Its `state` says how it ended.
        """
        run = await self._create(request, body, key)
        gone = self._cancelling(request, run, body.on_disconnect)
        return WaitAnswer(self._runs, run, self._view, self._services.bus, self._services.closing, gone)

    async def create_run_stream(self, request: Request, body: RunLive, key: KeyHeader = None) -> Response:
        """Run an agent and stream its events until it has ended; `Location` is where to join again.

        Sent again with the same idempotency key and `Last-Event-ID`, it goes on without gap or repeat.
        """
        run = await self._create(request, body, key)
        return self._stream(request, run, 0, body.on_disconnect)

    async def get_run_stream(
        self, request: Request, run_id: RunIdText, query: Annotated[JoinQuery, Query()]
    ) -> Response:
        """Join the events of a run, also after its end.

        An event's `id` is its seq; `Last-Event-ID` resumes without gap or repeat. The last event is `end`.
        """
        run = await self._runs.get(RunId(run_id))
        if query.on_disconnect == "cancel":
            require(key_of(request), Permission.RUN, run.agent)
        return self._stream(request, run, query.after, query.on_disconnect)

    async def _create(self, request: Request, body: RunLive, key: str | None) -> Run:
        require_agent(request, body.agent)
        run, _ = await self._runs.create(with_key(body, key), actor(request))
        return run

    def _stream(self, request: Request, run: Run, after: int, on_disconnect: Disconnect) -> Response:
        services = self._services
        return EventStream(
            api_events(self._runs, run).read,
            resume_after(request, after),
            services.bus,
            run_topic(run.id),
            services.closing,
            on_gone=self._cancelling(request, run, on_disconnect),
            location=f"/v1/runs/{run.id}/stream",
        )

    def _cancelling(
        self, request: Request, run: Run, policy: Disconnect
    ) -> Callable[[], Awaitable[object]] | None:
        if policy == "continue":
            return None
        who = actor(request)
        return lambda: self._runs.cancel(run.id, who)

    async def _view(self, run: Run) -> bytes:
        return encode(await self._views.view(run))
