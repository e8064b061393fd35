"""The workers and what waits for them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from ao.server.operations.fleet import FleetOperations
from ao.server.replies import reply
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.services import Services
from ao.wire.fleet import FleetView
from ao.wire.schemas import WorkerView

WorkerIdText = Annotated[str, Path(max_length=36)]


class FleetRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = FleetOperations(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["operations"], route_class=Route)
        add = router.add_api_route
        add("/workers", self.list_workers, methods=["GET"], response_model=FleetView)
        add("/workers/{worker_id}/drain", self.drain_worker, methods=["POST"], response_model=WorkerView)
        return router

    async def list_workers(self, request: Request) -> Response:
        """The workers with what they have and execute, and why runs wait for them."""
        return reply(await self._operations.list(caller_of(request)))

    async def drain_worker(self, request: Request, worker_id: WorkerIdText) -> Response:
        """Let a worker take nothing more: it ends when its runs have, and hands back those that take longer
        than its grace time."""
        return reply(await self._operations.drain(caller_of(request), worker_id))
