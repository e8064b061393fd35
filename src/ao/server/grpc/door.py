"""The door of gRPC: who asks, by which key, for what; what is refused, and one log line per call."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, NoReturn, TypeVar

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from ao.control.audit import ORIGIN, Origin
from ao.domain.access import SOME_AGENT, Permission, require
from ao.domain.errors import AoError, InvalidInput, Unavailable
from ao.logs import get_logger
from ao.server.auth import Authenticator
from ao.server.door import request_id_of
from ao.server.failures import internal_error
from ao.server.grpc.messages import read, write
from ao.server.grpc.methods import Method, OnGone, Unfinished
from ao.server.grpc.refusals import DETAILS, code_of, status_of
from ao.server.roles import RULES, Caller, admit
from ao.server.services import Services
from ao.store.records import ApiKey

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]

log = get_logger(__name__)

RUN_ID = "ao-run-id"
"""Initial metadata of the methods that stay until a run has ended."""
REQUEST_ID = "x-request-id"
NAMES = ("agent", "run_id", "assistant", "delivery_id")
"""Fields of requests that say whom an operation concerns."""


class Door:
    """Lets calls in and turns what they end with into a status."""

    def __init__(self, services: Services) -> None:
        self.closing = services.closing
        self.unfinished = Unfinished()
        self._authenticator = Authenticator(services.keys)
        self._agent_of = services.agent_of

    def handler(
        self, name: str, method: Method, kind: type[Message], answer: type[Message]
    ) -> Callable[[bytes, Context], Coroutine[Any, Any, Message]]:
        """What gRPC calls for a method with one answer."""

        async def handle(request: bytes, context: Context) -> Message:
            async def work(visit: Visit) -> Message:
                made = await self._do(visit, method, _parsed(kind, request))
                return made if isinstance(made, answer) else write(made, answer)

            return await self.visited(name, context, work)

        return handle

    def stream_handler(
        self, name: str, method: Method, kind: type[Message]
    ) -> Callable[[bytes, Context], Coroutine[Any, Any, None]]:
        """What gRPC calls for a method that answers with a stream."""

        async def handle(request: bytes, context: Context) -> None:
            async def work(visit: Visit) -> None:
                await self.until_closing(self._do(visit, method, _parsed(kind, request)))

            await self.visited(name, context, work)

        return handle

    def upload_handler(
        self, name: str, method: Method, kind: type[Message], answer: type[Message]
    ) -> Callable[[AsyncIterator[bytes], Context], Coroutine[Any, Any, Message]]:
        """What gRPC calls for a method that takes a stream and has one answer."""

        async def handle(requests: AsyncIterator[bytes], context: Context) -> Message:
            async def work(visit: Visit) -> Message:
                visit.parts = (_parsed(kind, request) async for request in requests)
                first = await visit.receive()
                made = await self._do(visit, method, kind() if first is None else first)
                return made if isinstance(made, answer) else write(made, answer)

            return await self.visited(name, context, lambda visit: self.until_closing(work(visit)))

        return handle

    async def until_closing(self, work: Awaitable[T]) -> T:
        """Raises Unavailable, on which clients try again, when the server closes."""
        try:
            async with self.closing.interruptible():
                return await work
        except TimeoutError as error:
            if self.closing.closed:
                raise Unavailable("the server is shutting down", hint="call again, with `after`") from error
            raise

    async def visited(self, name: str, context: Context, work: "Callable[[Visit], Awaitable[T]]") -> T:
        """The result of `work` for somebody with a key; whatever it raises leaves as a status."""
        visit = Visit(name, context, self.unfinished)
        structlog.contextvars.bind_contextvars(request_id=visit.request_id)
        try:
            visit.key = await self.key(visit.metadata)
            ORIGIN.set(Origin(visit.source, visit.request_id, visit.key.id))
            return await work(visit)
        except asyncio.CancelledError:
            if not self.closing.closed:
                visit.leave()
            raise
        except AoError as error:
            await visit.refuse(error)
        except Exception:
            log.exception("request failed", method="gRPC", route=name)
            await visit.refuse(internal_error(visit.request_id))
        finally:
            visit.log()

    async def key(self, metadata: Mapping[str, str | bytes]) -> ApiKey:
        """The key of a call. Raises Unauthenticated."""
        value = metadata.get("authorization", "")
        return await self._authenticator.key(value.encode() if isinstance(value, str) else None)

    async def _do(self, visit: "Visit", method: Method, request: Message) -> object:
        rule = RULES[method.operation]
        require(visit.known_key, rule.permission, SOME_AGENT)
        model = read(request, method.request)
        named = {name: value for name in NAMES if (value := getattr(request, name, ""))}
        visit.admitted = await admit(visit.known_key, rule, named, self._agent_of)
        work = method.do(visit, model)
        if method.waits or rule.permission is Permission.READ:
            return await work
        return await visit.finish(work)


class Visit:
    """One call: what is known of who makes it, and how it ended. It is the `Call` of the methods."""

    def __init__(self, name: str, context: Context, unfinished: Unfinished) -> None:
        self.metadata: Mapping[str, str | bytes] = dict(context.invocation_metadata() or ())
        given = self.metadata.get(REQUEST_ID, "")
        self._name = name
        self._context = context
        self._unfinished = unfinished
        self._started = time.perf_counter()
        self._on_gone: OnGone | None = None
        self._gone = False
        self.request_id = request_id_of(given.encode() if isinstance(given, str) else given)
        self.key: ApiKey | None = None
        self.admitted: Caller | None = None
        self.parts: AsyncIterator[Message] | None = None
        self.code = grpc.StatusCode.OK
        context.set_trailing_metadata(((REQUEST_ID, self.request_id),))

    @property
    def known_key(self) -> ApiKey:
        assert self.key is not None
        return self.key

    @property
    def caller(self) -> Caller:
        assert self.admitted is not None
        return self.admitted

    @property
    def source(self) -> str:
        """The client's address; gRPC has it as `ipv4:127.0.0.1:50000` or `ipv6:%5B::1%5D:50000`."""
        host = self._context.peer().partition(":")[2].rpartition(":")[0]
        return host.removeprefix("%5B").removesuffix("%5D").strip("[]")

    async def announce(self, run_id: str) -> None:
        await self._context.send_initial_metadata(((RUN_ID, run_id),))

    async def send(self, message: Message) -> None:
        await self._context.write(message)

    async def receive(self) -> Message | None:
        return None if self.parts is None else await anext(self.parts, None)

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        return await self._unfinished.finish(work)

    def when_gone(self, on_gone: OnGone) -> None:
        self._on_gone = on_gone
        if self._gone:
            self._unfinished.begin(_logged(on_gone()))

    def leave(self) -> None:
        """The client has gone, or its time is over."""
        self._gone = True
        left = self._context.time_remaining()
        late = left is not None and left <= 0  # type: ignore[redundant-expr]
        self.code = grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED
        if self._on_gone is not None:
            self._unfinished.begin(_logged(self._on_gone()))

    async def refuse(self, error: AoError) -> NoReturn:
        """Ends the call."""
        self.code = code_of(error)
        status = status_of(error, self.request_id)
        trailing = ((REQUEST_ID, self.request_id), (DETAILS, status.SerializeToString()))
        await self._context.abort(self.code, status.message, trailing)

    def log(self) -> None:
        log.info(
            "request",
            method="gRPC",
            route=self._name,
            status=self.code.name,
            duration_ms=round((time.perf_counter() - self._started) * 1000, 2),
            key=self.key.name if self.key else None,
        )


def _parsed(kind: type[Message], request: bytes) -> Message:
    try:
        return kind.FromString(request)
    except DecodeError as error:
        name = kind.DESCRIPTOR.full_name
        raise InvalidInput(f"the request is no {name}", hint="`ao proto` writes the .proto files") from error


async def _logged(work: Coroutine[Any, Any, object]) -> None:
    """Nobody is there any more to be told of an error."""
    try:
        await work
    except AoError as error:
        log.warning("a run outlives its caller, who wanted it to be cancelled", error=str(error))
