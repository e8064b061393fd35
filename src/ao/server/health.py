"""Whether the process lives, and whether it is ready: each dependency is looked at by itself."""

import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from ao.domain.errors import AoError
from ao.server.closing import Closing
from ao.server.services import Check, Services
from ao.store import Store
from ao.wire.schemas import CheckView

CHECK_SECONDS = 3.0
"""A check that takes longer has failed."""
REMEMBERED_SECONDS = 1.0
"""Readiness asks without a key; a flood of questions costs one durable write a second."""
LOW_DISK_BYTES = 1 << 30
FULL_DISK_BYTES = 64 << 20


def store_check(store: Store) -> Check:
    async def check() -> CheckView:
        try:
            await store.check()
        except AoError as error:
            return CheckView(name="store", status="failed", message=error.message, hint=error.hint)
        return CheckView(name="store", status="ok", message="a durable write succeeded")

    return check


def disk_check(directory: Path) -> Check:
    async def check() -> CheckView:
        try:
            free = (await asyncio.to_thread(shutil.disk_usage, directory)).free
        except OSError as error:
            return CheckView(name="disk", status="failed", message=f"{directory}: {error.strerror}")
        message = f"{free / (1 << 30):.1f} GiB free"
        if free < FULL_DISK_BYTES:
            return CheckView(name="disk", status="failed", message=message, hint="free space; try `ao gc`")
        if free < LOW_DISK_BYTES:
            return CheckView(name="disk", status="warning", message=message, hint="free space; try `ao gc`")
        return CheckView(name="disk", status="ok", message=message)

    return check


class Readiness:
    """The checks of a server, with a memory of a second."""

    def __init__(self, services: Services) -> None:
        own = [store_check(services.store), disk_check(services.about.home)]
        self._checks: Sequence[Check] = [*own, *services.checks]
        self._closing: Closing = services.closing
        self._lock = asyncio.Lock()
        self._known: tuple[float, list[CheckView]] | None = None

    async def checks(self) -> list[CheckView]:
        async with self._lock:
            if self._known is None or self._known[0] < time.monotonic():
                views = list(await asyncio.gather(*(_timed(check) for check in self._checks)))
                self._known = (time.monotonic() + REMEMBERED_SECONDS, views)
            views = self._known[1]
        if self._closing.leaving:
            return [*views, CheckView(name="server", status="failed", message="shutting down")]
        return views

    def router(self) -> APIRouter:
        router = APIRouter(tags=["health"])
        router.add_api_route("/livez", self.livez, methods=["GET"], operation_id="livez", openapi_extra=_OPEN)
        router.add_api_route(
            "/readyz", self.readyz, methods=["GET"], operation_id="readyz", openapi_extra=_OPEN
        )
        return router

    async def livez(self) -> Response:
        """The process answers. Needs no key."""
        return JSONResponse({"status": "ok"})

    async def readyz(self) -> Response:
        """200 when every dependency works, else 503; each is named. Needs no key."""
        checks = await self.checks()
        ready = all(check.status != "failed" for check in checks)
        shown = [{"name": check.name, "status": check.status, "message": check.message} for check in checks]
        body = {"status": "ready" if ready else "not_ready", "checks": shown}
        return JSONResponse(body, 200 if ready else 503)


_OPEN: dict[str, list[str]] = {"security": []}


async def _timed(check: Check) -> CheckView:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return CheckView(name="check", status="failed", message=f"no answer in {CHECK_SECONDS:g} s")
