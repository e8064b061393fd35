"""The events of several runs over one connection: browsers open six at most to a host, over all their tabs."""

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import Route

from ao.bus import Bus, run_topic
from ao.control.runs import Runs
from ao.dashboard.frame import Frame, Visit
from ao.domain.errors import NotFound, UsageError
from ao.domain.event import Event
from ao.ids import RunId
from ao.server.closing import Closing
from ao.server.replies import encode
from ao.server.run_events import RunEvents
from ao.server.stream import Stream, Write, frame, idle_seconds
from ao.server.views import event_view
from ao.store.records import Run

MAX_RUNS = 100
BEAT_SECONDS = 10.0
BEAT = frame("beat", None, b"{}")
"""Unlike a comment it is seen by scripts, which take a silent connection for a lost one."""
STREAM_SECONDS = (300.0, 600.0)
"""A stream ends after a random time between these: whoever comes back must still be logged in."""

_FOLLOWED = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,16})")


@dataclass(frozen=True, slots=True)
class Followed:
    run_id: RunId
    after: int
    """Seq of the last event that the page has."""


def followed(texts: Sequence[str]) -> list[Followed]:
    """From `RUN.SEQ` each. Raises UsageError."""
    matches = [_FOLLOWED.fullmatch(text) for text in texts]
    if not matches or len(matches) > MAX_RUNS or None in matches:
        raise UsageError(f"a stream is of 1 to {MAX_RUNS} runs, as ?run=RUN.SEQ")
    return [Followed(RunId(match[1]), int(match[2])) for match in matches if match]


class RunsStream(Stream):
    """Frames: `run` (an event; its id is RUN.SEQ), `end` (a run has ended and was told completely), `gone`
    (there is no such run for this visitor, whose key is for the agents of `scope`, or for all), `beat`."""

    def __init__(
        self, runs: Runs, wanted: Sequence[Followed], scope: Sequence[str], bus: Bus, closing: Closing
    ) -> None:
        super().__init__(closing)
        self._scope = scope
        self._runs = runs
        self._wanted = wanted
        self._bus = bus

    async def stream(self, write: Write) -> None:
        ready: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)  # a slow browser slows the reading of the store
        tasks = [asyncio.create_task(self._follow(each, ready)) for each in self._wanted]
        loop = asyncio.get_running_loop()
        until = loop.time() + random.uniform(*STREAM_SECONDS)  # noqa: S311 - spreads the reconnects
        try:
            await write(BEAT)
            while loop.time() < until:
                try:
                    async with asyncio.timeout(BEAT_SECONDS):
                        frames = await ready.get()
                except TimeoutError:
                    frames = BEAT
                await write(frames)
                for task in tasks:
                    if task.done():
                        task.result()  # a store that fails ends the stream; the page comes again
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _seen(self, run_id: RunId) -> Run | None:
        """The run, if there is one and the visitor's key is for its agent."""
        try:
            run = await self._runs.get(run_id)
        except NotFound:
            return None
        return run if not self._scope or run.agent in self._scope else None

    async def _follow(self, wanted: Followed, ready: "asyncio.Queue[bytes]") -> None:
        run_id, after = wanted.run_id, wanted.after
        run = await self._seen(run_id)
        if run is None:
            await ready.put(frame("gone", None, run_id.encode()))
            return

        def to_frame(event: Event) -> bytes:
            return frame("run", f"{run_id}.{event.seq}", encode(event_view(event)))

        events = RunEvents(self._runs, run, to_frame)
        with self._bus.subscribe(run_topic(run_id)) as hints:
            while True:
                batch = await events.read(after)
                after = max(after, batch.last_seq)
                if batch.frames:
                    await ready.put(b"".join(batch.frames))
                if batch.ended:
                    await ready.put(frame("end", None, run_id.encode()))
                    return
                if not batch.full:
                    await hints.wait(idle_seconds())


class StreamPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [self._frame.page("/stream", self.stream, "get_run_events")]

    async def stream(self, visit: Visit) -> Stream:
        services = self._frame.services
        wanted = followed(visit.request.query_params.getlist("run"))
        return RunsStream(services.runs, wanted, visit.scope, services.bus, services.closing)
