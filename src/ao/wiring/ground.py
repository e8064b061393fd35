"""What both a server and a worker stand on: the store, blobs, hints, and the place where code runs."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ao.blobs import BlobStore
from ao.blobs.local import LocalBlobs
from ao.build.local import LocalBuilder
from ao.bus import Bus
from ao.bus.local import LocalBus
from ao.control.derivation import Derivation
from ao.control.payloads import Payloads
from ao.control.secrets import Cipher, Secrets
from ao.control.workspaces import Workspaces
from ao.domain.errors import InvalidConfig
from ao.home import Home
from ao.logs import get_logger
from ao.sandbox import Executor, Level
from ao.sandbox.process import ProcessExecutor, WarmOptions
from ao.settings import Settings, host_environment
from ao.store import Store
from ao.store.sql import open_postgres, open_sqlite
from ao.system import refusal

if TYPE_CHECKING:
    from ao.bus.redis import RedisBus

log = get_logger(__name__)

SPARE_SLOTS = 2
"""Warm slots beyond those of the worker: they are made ready for the next runs while all others run."""
CLOSE_SECONDS = 10.0
"""At the end of the process the sandbox supervisor has this long to go."""


@dataclass(frozen=True, slots=True)
class Ground:
    settings: Settings
    home: Home
    store: Store
    bus: Bus
    redis: "RedisBus | None"
    """The bus, when it needs to be run."""
    blobs: BlobStore
    payloads: Payloads
    executor: Executor
    builder: LocalBuilder
    secrets: Secrets
    workspaces: Workspaces
    derivation: Derivation

    def duties(self) -> dict[str, Coroutine[None, None, None]]:
        return {} if self.redis is None else {"hints": self.redis.run()}


async def open_ground(settings: Settings, home: Home, stack: AsyncExitStack) -> Ground:
    """Open it; `stack` closes it, last first. The caller holds the home's lock."""
    redis = _open_redis(settings)
    executor = await _open_executor(settings, home.root / "sandboxes")
    stack.push_async_callback(_close, executor)
    store = await _open_store(settings)
    stack.push_async_callback(store.close)
    blobs = await _open_blobs(settings)
    builder = LocalBuilder(home.root, blobs, environ=host_environment(), executor=executor)
    return Ground(
        settings,
        home,
        store,
        redis or LocalBus(),
        redis,
        blobs,
        Payloads(blobs),
        executor,
        builder,
        Secrets(store, Cipher(settings.secrets_key or home.secrets_key_bytes())),
        Workspaces(blobs, home.work, settings.max_workspace),
        Derivation(builder, store.assistants),
    )


async def _open_executor(settings: Settings, root: Path) -> Executor:
    if settings.sandbox == "docker":
        from ao.sandbox.docker import DockerExecutor, DockerOptions  # noqa: PLC0415 - others do not pay for it

        options = DockerOptions(settings.docker_image, settings.docker_network, settings.docker_build)
        return await DockerExecutor.open(root, host_environment(), options)
    level = None if settings.sandbox == "auto" else Level(settings.sandbox)
    warm = WarmOptions(settings.warm == "on", settings.slots + SPARE_SLOTS, settings.warm_memory)
    return await ProcessExecutor.open(root, level=level, warm=warm)


async def _close(executor: Executor) -> None:
    """End the supervisor; one that does not end by itself is killed."""
    closing = asyncio.ensure_future(executor.close())
    _, late = await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
    if late:
        log.error("the sandbox supervisor does not end; killing it")
        executor.kill()
    await closing


async def _open_store(settings: Settings) -> Store:
    if settings.on_postgres:
        return await open_postgres(settings.database_url, upgrade=settings.migrate == "auto")
    return await open_sqlite(Path(settings.database_url.removeprefix("sqlite:///")))


async def _open_blobs(settings: Settings) -> BlobStore:
    if isinstance(settings.blobs, Path):
        try:
            return LocalBlobs(settings.blobs)
        except OSError as error:
            if refused := refusal(error, "make room there"):
                raise refused from error
            raise InvalidConfig(
                f"the directory of blobs {settings.blobs} cannot be made: {error.strerror}",
                hint="AO_BLOBS names it; see that what it lies in is there, and mounted",
            ) from error
    from ao.blobs.s3 import open_s3  # noqa: PLC0415 - who keeps blobs in a directory does not pay for it

    return await open_s3(settings.blobs, settings.s3)


def _open_redis(settings: Settings) -> "RedisBus | None":
    if settings.redis_url is None:
        return None
    from ao.bus.redis import RedisBus  # noqa: PLC0415 - one process alone does not pay for it

    return RedisBus(settings.redis_url)
