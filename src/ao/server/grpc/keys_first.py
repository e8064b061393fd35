"""Who has no key sends no message: it is refused before one is read."""

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import grpc

from ao.domain.errors import AoError
from ao.server.grpc.door import Context, Door

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]

OPEN = "/grpc.health.v1.Health/"


class KeysFirst(grpc.aio.ServerInterceptor):
    def __init__(self, door: Door) -> None:
        self._door = door

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Any:
        if details.method.startswith(OPEN):
            return await continuation(details)
        try:
            await self._door.key(dict(details.invocation_metadata))
        except AoError as error:  # no such key, or a database that is away
            return grpc.stream_stream_rpc_method_handler(self._refusing(details.method, error))
        return await continuation(details)

    def _refusing(self, name: str, error: AoError) -> Any:
        """As a stream, whatever the method is: its messages are only read when they are asked for."""

        async def refuse(_visit: object) -> None:
            raise error

        async def handle(_requests: AsyncIterable[bytes], context: Context) -> None:
            await self._door.visited(name, context, refuse)

        return handle
