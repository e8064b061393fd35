"""What a gRPC method is made of: the operation that it is, how its request is read, and what it does."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message
from pydantic import BaseModel

from ao.server.roles import Caller

T = TypeVar("T")
M = TypeVar("M", bound=Message)

MESSAGE_BYTES = 3 << 20
"""A message with many items has no more than this, and one item at least: clients take 4 MiB by default."""

PART_BYTES = 256 << 10
"""About so much comes with one message of a long stream."""

OnGone = Callable[[], Coroutine[Any, Any, object]]


class Call(Protocol):
    """One call that was let in."""

    @property
    def caller(self) -> Caller: ...

    async def announce(self, run_id: str) -> None:
        """Send the initial metadata, with the run's id."""
        ...

    async def send(self, message: Message) -> None:
        """Send a message of a stream; waits while the client is slow."""
        ...

    async def receive(self) -> Message | None:
        """The next message of a client that sends a stream; None at its end."""
        ...

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that goes on to its end also when the client leaves."""
        ...

    def when_gone(self, on_gone: OnGone) -> None:
        """Do this when the client leaves before the call has ended; the end of the server is no leaving."""
        ...


@dataclass(frozen=True, slots=True)
class Method:
    operation: str
    """Its row in `ao.server.roles.RULES`."""
    request: type[BaseModel]
    do: Callable[[Call, Any], Coroutine[Any, Any, object]]
    """(call, request) → the answer: a message, or what one is made of; of a stream, nothing."""
    waits: bool = False
    """It ends when the client leaves. Otherwise a change is made whole."""


Service = Mapping[str, Method]
"""The methods of a service, by name."""


@dataclass(frozen=True, slots=True)
class Items:
    """What an answer with a list is made of."""

    items: Sequence[object]


def items(
    find: Callable[[Caller, Any], Awaitable[Sequence[object]]],
) -> Callable[[Call, Any], Coroutine[Any, Any, Items]]:
    async def do(call: Call, request: Any) -> Items:
        return Items(await find(call.caller, request))

    return do


def answer(
    act: Callable[[Caller, Any], Awaitable[object]],
) -> Callable[[Call, Any], Coroutine[Any, Any, object]]:
    async def do(call: Call, request: Any) -> object:
        return await act(call.caller, request)

    return do


def fitting(messages: Iterable[M], complete: bool) -> tuple[list[M], bool]:
    """(those that fit into one message, whether that is all there is)."""
    size, some = 0, list[M]()
    for message in messages:
        size += message.ByteSize()
        if size > MESSAGE_BYTES and some:
            return some, False
        some.append(message)
    return some, complete


class Unfinished:
    """Work whose caller has left; the end of the server waits for it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result; it goes on when whoever waits here is cancelled."""
        return await asyncio.shield(self.begin(work))

    async def wait(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)
