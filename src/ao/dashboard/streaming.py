"""The events of several runs and builds over one connection: browsers open six at most to a host, over all
their tabs."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from starlette.routing import Route

from ao.bus import Bus, build_topic, run_topic
from ao.control.deployments import Deployments
from ao.control.runs import Runs
from ao.dashboard.frame import Frame, Visit
from ao.domain.errors import NotFound, UsageError
from ao.domain.event import Event
from ao.ids import DeploymentId, RunId
from ao.server.build_events import BuildEvents, BuildLine
from ao.server.closing import Closing
from ao.server.replies import encode
from ao.server.run_events import RunEvents
from ao.server.stream import Batch, Stream, Write, frame, idle_seconds
from ao.server.views import build_log_line, event_view

MAX_FOLLOWED = 100
BEAT_SECONDS = 10.0
BEAT = frame("beat", None, b"{}")
"""Unlike a comment it is seen by scripts, which take a silent connection for a lost one."""
STREAM_SECONDS = (300.0, 600.0)
"""A stream ends after a random time between these: whoever comes back must still be logged in."""

_FOLLOWED = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,16})")

Kind = Literal["run", "build"]


@dataclass(frozen=True, slots=True)
class Followed:
    kind: Kind
    id: str
    after: int
    """Seq of the last event or line that the page has."""

    @property
    def name(self) -> str:
        """As the page calls it, and as it stands in the query before the seq."""
        return f"{self.kind}={self.id}"


def followed(pairs: Sequence[tuple[str, str]]) -> list[Followed]:
    """From the query: `run=ID.SEQ` and `build=ID.SEQ`. Raises UsageError."""
    matches = [(kind, _FOLLOWED.fullmatch(text)) for kind, text in pairs if kind in ("run", "build")]
    if not matches or len(matches) > MAX_FOLLOWED or any(match is None for _, match in matches):
        raise UsageError(f"a stream is of 1 to {MAX_FOLLOWED} runs and builds, as ?run=ID.SEQ&build=ID.SEQ")
    return [Followed(cast("Kind", kind), match[1], int(match[2])) for kind, match in matches if match]


@dataclass(frozen=True, slots=True)
class _Source:
    topic: str
    read: Callable[[int], Awaitable[Batch[bytes]]]


class Sources:
    """What there is to follow for a visitor, whose key is for the agents of `scope`, or for all."""

    def __init__(self, runs: Runs, deployments: Deployments, scope: Sequence[str]) -> None:
        self._runs = runs
        self._deployments = deployments
        self._scope = scope

    async def find(self, wanted: Followed) -> _Source | None:
        """None when there is no such thing, or not for this visitor."""
        try:
            return await (self._run(wanted) if wanted.kind == "run" else self._build(wanted))
        except NotFound:
            return None

    async def _run(self, wanted: Followed) -> _Source | None:
        run = await self._runs.get(RunId(wanted.id))

        def to_frame(event: Event) -> bytes:
            return frame("run", f"{wanted.name}.{event.seq}", encode(event_view(event)))

        source = _Source(run_topic(run.id), RunEvents(self._runs, run, to_frame).read)
        return source if self._sees(run.agent) else None

    async def _build(self, wanted: Followed) -> _Source | None:
        deployment = await self._deployments.get_by_id(DeploymentId(wanted.id))

        def to_frame(line: BuildLine) -> bytes:
            return frame("line", f"{wanted.name}.{line[0]}", encode(build_log_line(line)))

        read = BuildEvents(self._deployments, deployment, to_frame).read
        return _Source(build_topic(deployment.id), read) if self._sees(deployment.agent) else None

    def _sees(self, agent: str) -> bool:
        return not self._scope or agent in self._scope


class EventsStream(Stream):
    """Frames: `run` (an event of a run) and `line` (of a build), whose ids are NAME.SEQ; `end` (all was told of
    what has this name, and nothing follows), `gone` (there is no such thing for this visitor), `beat`."""

    def __init__(self, sources: Sources, wanted: Sequence[Followed], bus: Bus, closing: Closing) -> None:
        super().__init__(closing)
        self._sources = sources
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

    async def _follow(self, wanted: Followed, ready: "asyncio.Queue[bytes]") -> None:
        source = await self._sources.find(wanted)
        if source is None:
            await ready.put(frame("gone", None, wanted.name.encode()))
            return
        after = wanted.after
        with self._bus.subscribe(source.topic) as hints:
            while True:
                batch = await source.read(after)
                after = max(after, batch.last_seq)
                if batch.frames:
                    await ready.put(b"".join(batch.frames))
                if batch.ended:
                    await ready.put(frame("end", None, wanted.name.encode()))
                    return
                if not batch.full:
                    await hints.wait(idle_seconds())


class StreamPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [self._frame.page("/stream", self.stream, "get_run_events")]

    async def stream(self, visit: Visit) -> EventsStream:
        services = self._frame.services
        wanted = followed(visit.request.query_params.multi_items())
        sources = Sources(services.runs, services.deployments, visit.scope)
        return EventsStream(sources, wanted, services.bus, services.closing)
