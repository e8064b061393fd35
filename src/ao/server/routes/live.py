"""Runs whose caller stays on the line: wait for the result, or watch the events."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ao.bus import run_topic
from ao.server.operations.runs import JoinQuery, RunOperations
from ao.server.replies import encode
from ao.server.roles import Caller, caller_of
from ao.server.route import Route
from ao.server.routes.parameters import RunIdText
from ao.server.routes.runs import KeyHeader, with_key
from ao.server.run_stream import WaitAnswer, api_events
from ao.server.services import Services
from ao.server.stream import DOCUMENTED_STREAM, EventStream, resume_after
from ao.store.records import Run
from ao.wire.live import Disconnect, RunLive
from ao.wire.schemas import RunView


class LiveRoutes:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._runs = services.runs
        self._operations = RunOperations(services)

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
        run = await self._operations.begin(caller_of(request), with_key(body, key))
        gone = self._cancelling(caller_of(request), run, body.on_disconnect)
        return WaitAnswer(self._runs, run, self._view, self._services.bus, self._services.closing, gone)

    async def create_run_stream(self, request: Request, body: RunLive, key: KeyHeader = None) -> Response:
        """Run an agent and stream its events until it has ended; `Location` is where to join again.

        Sent again with the same idempotency key and `Last-Event-ID`, it goes on without gap or repeat.
        """
        run = await self._operations.begin(caller_of(request), with_key(body, key))
        return self._stream(request, run, 0, body.on_disconnect)

    async def get_run_stream(
        self, request: Request, run_id: RunIdText, query: Annotated[JoinQuery, Query()]
    ) -> Response:
        """Join the events of a run, also after its end.

        An event's `id` is its seq; `Last-Event-ID` resumes without gap or repeat. The last event is `end`.
        """
        run = await self._operations.join(caller_of(request), run_id, query.on_disconnect)
        return self._stream(request, run, query.after, query.on_disconnect)

    def _stream(self, request: Request, run: Run, after: int, on_disconnect: Disconnect) -> Response:
        services = self._services
        return EventStream(
            api_events(self._runs, run).read,
            resume_after(request, after),
            services.bus,
            run_topic(run.id),
            services.closing,
            on_gone=self._cancelling(caller_of(request), run, on_disconnect),
            location=f"/v1/runs/{run.id}/stream",
        )

    def _cancelling(
        self, caller: Caller, run: Run, policy: Disconnect
    ) -> Callable[[], Awaitable[object]] | None:
        if policy == "continue":
            return None
        return lambda: self._runs.cancel(run.id, caller.actor)

    async def _view(self, run: Run) -> bytes:
        return encode(await self._operations.view(run))
