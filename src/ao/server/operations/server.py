"""The server itself: what it is, and how it is."""

from pydantic import Field

from ao.clock import to_datetime
from ao.server.health import Readiness
from ao.server.roles import Caller
from ao.server.services import Services
from ao.server.sizes_view import sizes_view
from ao.server.views import worker_view
from ao.wire.schemas import GcView, Request, StatusView
from ao.wire.sizes import SizesView


class GcQuery(Request):
    dry_run: bool = Field(False, description="Only say what would be removed.")


class ServerOperations:
    def __init__(self, services: Services, readiness: Readiness) -> None:
        self._services = services
        self._readiness = readiness

    async def status(self) -> StatusView:
        about, store = self._services.about, self._services.store
        now_us = await store.schedules.now_us()
        workers = [worker_view(worker, now_us) for worker in await store.workers.list()]
        return StatusView.model_construct(
            version=about.version,
            home=str(about.home),
            database=about.database,
            started_at=to_datetime(about.started_us),
            sandbox=about.sandbox,
            degraded=list(about.degraded),
            runs=await store.workers.counts(),
            workers=workers,
            checks=await self._readiness.checks(),
        )

    async def sizes(self) -> SizesView:
        own_disk = self._services.about.database == "sqlite"
        return sizes_view(await self._services.storage.look(), own_disk=own_disk)

    async def collect(self, caller: Caller, query: GcQuery) -> GcView:
        collected = await self._services.deployments.gc(query.dry_run, caller.actor)
        return GcView(
            dry_run=query.dry_run,
            environments=collected.environments,
            releases=collected.releases,
            blobs=collected.blobs,
            freed_bytes=collected.freed_bytes,
        )
