"""Server-sent events as bytes come in, and how a stream goes on after a cut; no I/O."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from ao.client.retry import Retry
from ao.client.target import Target
from ao.client.wire import STREAM_SILENCE_SECONDS, Answer, Call, Request, request
from ao.wire.problems import from_response

T = TypeVar("T")

MEDIA_TYPE = "text/event-stream"
END_EVENT = "end"
"""The last event of a run's stream."""
END = b"end"
"""The comment that ends a complete stream; without it the connection was cut."""


@dataclass(frozen=True, slots=True)
class Frame:
    event: str
    id: str
    data: bytes


class Parser:
    """Frames and comments of a stream that comes in pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self.ended = False

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        *blocks, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        for block in blocks:
            fields: dict[bytes, bytes] = {}
            for line in block.split(b"\n"):
                name, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if not name:
                    self.ended = self.ended or value == END
                else:
                    fields[name] = fields[name] + b"\n" + value if name in fields else value
            if b"data" in fields:
                yield Frame(
                    fields.get(b"event", b"message").decode(), fields.get(b"id", b"").decode(), fields[b"data"]
                )


class Stream(Generic[T]):
    """One logical stream over as many connections as it takes, without gap or repeat."""

    def __init__(self, call: Call[object], parse: Callable[[Frame], T], after: int = 0) -> None:
        self._call = call
        self._parse = parse
        self._last = after
        self._parser = Parser()
        self.retry = Retry()

    @property
    def ended(self) -> bool:
        return self._parser.ended

    def request(self, target: Target) -> Request:
        """The request that goes on where the last connection stopped."""
        self._parser = Parser()
        made = request(self._call, target, MEDIA_TYPE)
        headers = {**made.headers, "last-event-id": str(self._last)}
        return Request(made.method, made.path, headers, made.body, STREAM_SILENCE_SECONDS)

    def check(self, answer: Answer) -> None:
        """Raises the error that came in place of a stream."""
        if answer.status >= 400:
            raise from_response(answer.status, answer.content_type, answer.body)

    def feed(self, chunk: bytes) -> Iterator[T]:
        for frame in self._parser.feed(chunk):
            if frame.event == END_EVENT:
                self._parser.ended = True
                continue
            seq = int(frame.id) if frame.id.isdigit() else None
            if seq is not None:
                if seq <= self._last:
                    continue  # a server or proxy that ignores Last-Event-ID starts over
                self._last = seq
                self.retry.reset()
            yield self._parse(frame)
