"""`grpc.health.v1.Health`, for load balancers and probes: as `/readyz`, and without a key."""

import asyncio
from collections.abc import Collection
from typing import Any

import grpc
from grpc_health.v1 import health_pb2 as pb

from ao.server.closing import Closing
from ao.server.health import Readiness
from ao.server.stream import idle_seconds

Context = grpc.aio.ServicerContext[Any, Any]
_States = pb.HealthCheckResponse.ServingStatus


class Health:
    """All services are as the server is: ready, or not."""

    def __init__(self, readiness: Readiness, services: Collection[str], closing: Closing) -> None:
        self._readiness = readiness
        self._services = {"", *services}
        self._closing = closing

    async def Check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:  # noqa: N802
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no service {request.service!r}")
        return pb.HealthCheckResponse(status=await self._state())

    async def List(self, _request: pb.HealthListRequest, _context: Context) -> pb.HealthListResponse:  # noqa: N802
        answer = pb.HealthCheckResponse(status=await self._state())
        return pb.HealthListResponse(statuses=dict.fromkeys(self._services, answer))

    async def Watch(self, request: pb.HealthCheckRequest, context: Context) -> None:  # noqa: N802
        """Tells the state, and every change that is noticed when it is looked at, some seconds apart."""
        if request.service not in self._services:
            await context.write(pb.HealthCheckResponse(status=_States.SERVICE_UNKNOWN))
        known = None
        while not self._closing.closed:
            if request.service in self._services and (state := await self._state()) != known:
                await context.write(pb.HealthCheckResponse(status=state))
                known = state
            try:
                async with self._closing.interruptible():
                    await asyncio.sleep(idle_seconds())
            except TimeoutError:
                await context.write(pb.HealthCheckResponse(status=_States.NOT_SERVING))

    async def _state(self) -> Any:
        ready = all(check.status != "failed" for check in await self._readiness.checks())
        return _States.SERVING if ready else _States.NOT_SERVING
