"""The events of a run as a stream, and the answer to who waits for its end."""

from collections.abc import Awaitable, Callable

from fastapi import Response
from starlette.types import Receive, Scope, Send

from ao.bus import Bus, run_topic
from ao.control.runs import Runs
from ao.domain.event import Event
from ao.server.closing import Closing
from ao.server.replies import encode
from ao.server.run_events import RunEvents
from ao.server.stream import frame, idle_seconds, watched
from ao.server.views import event_view
from ao.store.records import Run
from ao.wire.live import StreamEnd


def api_events(runs: Runs, run: Run) -> RunEvents[bytes]:
    """The events of a run as the API has them, `end` at last."""
    return RunEvents(runs, run, _frame, _end)


def _frame(event: Event) -> bytes:
    return frame(event.kind, event.seq, encode(event_view(event)))


def _end(run: Run) -> bytes:
    return frame("end", None, encode(StreamEnd(run_id=run.id, state=run.head.state)))


class WaitAnswer(Response):
    """200 at once, a line break every few seconds while the run goes on, then the run as JSON.

    Proxies cut connections that are silent; JSON may begin with white space. When the server closes, the run
    is answered as it is then, and its `state` says so.
    """

    media_type = "application/json"

    def __init__(
        self,
        runs: Runs,
        run: Run,
        view: Callable[[Run], Awaitable[bytes]],
        bus: Bus,
        closing: Closing,
        on_gone: Callable[[], Awaitable[object]] | None,
    ) -> None:
        super().__init__(headers={"location": f"/v1/runs/{run.id}", "cache-control": "no-store"})
        del self.headers["content-length"]
        self.headers["x-accel-buffering"] = "no"
        self._runs = runs
        self._run = run
        self._view = view
        self._bus = bus
        self._closing = closing
        self._on_gone = on_gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        ended = await watched(lambda: self._wait(send), receive, self._closing, self._on_gone)
        body = b""
        if ended or self._closing.closed:
            body = await self._view(await self._runs.get(self._run.id))
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _wait(self, send: Send) -> None:
        with self._bus.subscribe(run_topic(self._run.id)) as hints:
            while not (await self._runs.get(self._run.id)).head.state.terminal:
                if not await hints.wait(idle_seconds()):
                    await send({"type": "http.response.body", "body": b"\n", "more_body": True})
