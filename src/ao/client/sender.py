"""What a handle needs of the client that made it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol, TypeVar

from ao.client.events import Stream
from ao.client.wire import Call

T = TypeVar("T")


class Sender(Protocol):
    def send(self, call: Call[T]) -> T: ...

    def send_json(self, call: Call[Any]) -> Any: ...

    def follow(self, stream: Stream[T]) -> Iterator[T]: ...


class AsyncSender(Protocol):
    async def send(self, call: Call[T]) -> T: ...

    async def send_json(self, call: Call[Any]) -> Any: ...

    def follow(self, stream: Stream[T]) -> AsyncIterator[T]: ...
