"""Server-sent events, resumable by `Last-Event-ID`.

A stream holds nothing while it is idle: it reads from the store when the bus says that there is more,
or after a few seconds in case a hint was lost.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from ao.bus import Bus
from ao.domain.errors import AoError, InvalidInput, Problem
from ao.logs import get_logger
from ao.server.closing import Closing, end_now

T = TypeVar("T")

log = get_logger(__name__)

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b": heartbeat\n\n"
RECONNECT = b"retry: 100\n: this server stops; go on with another one\n\n"
"""Ends what the server cuts: a client comes back with the last id that it has."""
END = b": end\n\n"
"""Ends a complete stream, so that a client can tell it from a cut connection."""
IDLE_SECONDS = (5.0, 10.0)
"""A random time between these passes without a hint before the store is asked and a heartbeat is sent."""
MAX_SEQ = 2**53 - 1

DOCUMENTED: dict[str, Any] = {
    "responses": {
        200: {
            "content": {
                MEDIA_TYPE: {
                    "schema": {
                        "type": "string",
                        "description": "Server-sent events; the last event is `end` or `status`.",
                    }
                }
            }
        }
    },
    "openapi_extra": {
        "parameters": [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "Resume a stream after this event.",
                "schema": {"type": "integer", "minimum": 0, "maximum": MAX_SEQ},
            }
        ]
    },
}
"""What OpenAPI should know of an operation that answers with JSON or a stream."""

DOCUMENTED_STREAM: dict[str, Any] = {
    **DOCUMENTED,
    "responses": {
        200: {
            "description": "Server-sent events: those of the run, then `end`.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
        }
    },
}
"""Of an operation that only streams."""

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """What a source has after a seq."""

    frames: Sequence[T]
    last_seq: int
    ended: bool
    """Nothing will follow `frames`."""
    full: bool = False
    """There may be more at once."""


Source = Callable[[int], Awaitable[Batch[T]]]
Write = Callable[[bytes], Awaitable[None]]
"""Sends some frames; waits while the client is slow."""
OnGone = Callable[[], Awaitable[object]]


async def follow(
    source: Source[T], after: int, bus: Bus, topic: str, send: Callable[[Sequence[T]], Awaitable[None]]
) -> None:
    """Send what the source has after a seq, as it comes, until it has ended; nothing, when nothing came for a
    while."""
    with bus.subscribe(topic) as hints:
        while True:
            batch = await source(after)
            after = max(after, batch.last_seq)
            if batch.frames:
                await send(batch.frames)
            if batch.ended:
                return
            if not batch.full and not await hints.wait(idle_seconds()):
                await send(())


class Stream(Response, ABC):
    """Server-sent events until there are no more, the client goes or the server closes."""

    media_type = MEDIA_TYPE

    def __init__(self, closing: Closing, on_gone: OnGone | None = None, location: str = "") -> None:
        """`on_gone` is called when the client goes before the end; `location` is where it may join again."""
        more = {"location": location, "content-location": location} if location else {}
        super().__init__(headers={**_HEADERS, **more}, media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._closing = closing
        self._on_gone = on_gone

    @abstractmethod
    async def stream(self, write: Write) -> None:
        """Write the frames."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            ended = await watched(lambda: self.stream(_writer(send)), receive, self._closing, self._on_gone)
            if not ended and self._closing.closed:
                await send({"type": "http.response.body", "body": RECONNECT, "more_body": True})
        except AoError as error:
            log.warning("event stream cut", path=scope["path"], error=str(error))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class EventStream(Stream):
    """Frames of `source` from `after` on, until it ends."""

    def __init__(
        self,
        source: Source[bytes],
        after: int,
        bus: Bus,
        topic: str,
        closing: Closing,
        *,
        on_gone: OnGone | None = None,
        location: str = "",
    ) -> None:
        super().__init__(closing, on_gone, location)
        self._source = source
        self._after = after
        self._bus = bus
        self._topic = topic

    async def stream(self, write: Write) -> None:
        async def send(frames: Sequence[bytes]) -> None:
            await write(b"".join(frames) or HEARTBEAT)

        await follow(self._source, self._after, self._bus, self._topic, send)
        await write(END)


def idle_seconds() -> float:
    return random.uniform(*IDLE_SECONDS)  # noqa: S311 - spreads the polling of many streams


def _writer(send: Send) -> Write:
    async def write(data: bytes) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": True})

    return write


async def watched(
    work: Callable[[], Awaitable[None]], receive: Receive, closing: Closing, on_gone: OnGone | None
) -> bool:
    """Do `work` while the client is there and the server does not close; whether it came to its end.

    `on_gone` is awaited when it was the client who left. Both ends are no fault.
    """
    gone = False

    async def watch(wait: asyncio.Timeout) -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = not closing.closed
        end_now(wait)

    try:
        async with closing.interruptible() as wait:
            watcher = asyncio.create_task(watch(wait))
            try:
                await work()
            finally:
                watcher.cancel()
    except TimeoutError:
        if gone and on_gone is not None:
            await on_gone()
        return False
    return True


def frame(event: str, seq: int | str | None, data: bytes) -> bytes:
    """One event. JSON has no raw line breaks, so that `data` is one line."""
    id_line = b"" if seq is None else b"id: %s\n" % str(seq).encode()
    return b"event: %s\n%sdata: %s\n\n" % (event.encode(), id_line, data)


def wants_stream(request: Request) -> bool:
    return MEDIA_TYPE in request.headers.get("accept", "")


def resume_after(request: Request, after: int) -> int:
    """The seq to go on from: `Last-Event-ID` of a reconnecting client, else `after`."""
    text = request.headers.get("last-event-id")
    if text is None:
        return after
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= MAX_SEQ):
        problem = Problem("Last-Event-ID", "is not the id of an event", "send back the id that was received")
        raise InvalidInput(f"Last-Event-ID {problem.message}", hint=problem.hint, problems=[problem])
    return int(text)
