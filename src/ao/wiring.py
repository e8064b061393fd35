"""The composition root: the one place that names concrete classes and decides what lives how long."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from fastapi import FastAPI

from ao import logs
from ao.blobs.local import LocalBlobs
from ao.build.disk import full_disk_told
from ao.build.local import LocalBuilder
from ao.build.releases import remove_tree
from ao.bus import Bus
from ao.bus.local import LocalBus
from ao.clock import SystemClock
from ao.control.audit import AuditLog
from ao.control.backpressure import Backpressure
from ao.control.catalog import Catalog
from ao.control.deployments import Deployments
from ao.control.keys import Keys
from ao.control.logins import SITE_PATH, Logins
from ao.control.logs import Logs
from ao.control.outbound import Outbound
from ao.control.payloads import Payloads
from ao.control.questions import Questions
from ao.control.replays import Replays
from ao.control.runs import Runs
from ao.control.schedules import Schedules
from ao.control.secrets import Cipher, Secrets
from ao.control.steps import Steps
from ao.control.upkeep import promote_forever, sweep_forever, take_back_runs, tidy_forever
from ao.control.webhooks import Webhooks
from ao.dashboard.app import create_dashboard
from ao.domain.access import Role
from ao.domain.errors import SandboxError
from ao.home import Home, write_private
from ao.sandbox import Executor, Level
from ao.sandbox.process import ProcessExecutor, WarmOptions
from ao.server.app import Site, create_app
from ao.server.listen import Listener, bind, check_exposure
from ao.server.parts import redis_checks, supervisor_check, warm_check, worker_check
from ao.server.services import About, Services
from ao.settings import Settings, host_environment
from ao.store import Store
from ao.store.records import ApiKey
from ao.store.sql import open_postgres, open_sqlite
from ao.worker.attempt import Bench
from ao.worker.loop import Worker, WorkerOptions
from ao.worker.resolve import Resolver
from ao.worker.supervision import Supervision
from ao.worker.warming import Warming

if TYPE_CHECKING:
    from ao.bus.redis import RedisBus

log = logs.get_logger(__name__)

FORCED_EXIT = 130
_SPARE_SLOTS = 2
"""Warm slots beyond those of the worker: they are made ready for the next runs while all others run."""
CLOSE_SECONDS = 10.0
"""At the end of the process the sandbox supervisor has this long to go."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What `ao up` tells when it takes requests."""

    url: str
    login_url: str
    """Logs in to the dashboard, once."""
    home: Path
    database: str
    sandbox: str
    degraded: Sequence[str]


def serve(settings: Settings, on_ready: Callable[[Ready], None]) -> None:
    """Run server and worker until SIGINT or SIGTERM; a second signal does not wait for runs.

    Raises HomeInUse, InvalidConfig, Conflict (port), DatabaseDamaged, SchemaTooNew, SandboxError.
    """
    logs.configure(settings.log_level, settings.log_format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, on_ready))
    except BaseExceptionGroup as group:
        raise _first_of(group) from group


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first; the rest follows from it."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _serve(settings: Settings, on_ready: Callable[[Ready], None]) -> None:
    stop = _stop_on_signals()
    home = Home(settings.home)
    home.prepare()
    with home.locked():
        await asyncio.to_thread(_sweep, home)
        async with AsyncExitStack() as stack:
            with full_disk_told():
                platform = await open_platform(settings, home, stack)
            listening = bind(settings.host, settings.port)
            stack.callback(listening.close)
            async with asyncio.TaskGroup() as group:
                duties = [group.create_task(_vital(name, duty)) for name, duty in platform.duties().items()]
                worker = group.create_task(_vital("worker", platform.worker.run()))
                async with _listening(platform, listening, home) as url:
                    login_path = await platform.services.logins.offer(platform.local_key.id)
                    on_ready(platform.ready(url, url + login_path, home))
                    await stop.wait()
                    log.info("stopping")
                    platform.worker.drain()
                    await worker
                for duty in duties:
                    duty.cancel()
    log.info("stopped")


def _sweep(home: Home) -> None:
    """Remove what builds of a killed server left. The caller holds the home's lock."""
    for path in home.work.iterdir():
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()


async def _vital(name: str, duty: Coroutine[None, None, None]) -> None:
    """A duty whose crash ends the process, with a non-zero status: its manager starts it again."""
    try:
        await duty
    except Exception:
        log.exception("a part of the server crashed; the process ends", part=name)
        raise


def _stop_on_signals() -> asyncio.Event:
    """Set at the first signal; the second ends the process at once, and its sandboxes with it."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(FORCED_EXIT)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop


@dataclass(frozen=True, slots=True)
class Platform:
    """The open parts of one process."""

    settings: Settings
    store: Store
    bus: Bus
    redis: "RedisBus | None"
    """The bus, when it needs to be run."""
    executor: Executor
    deployments: Deployments
    schedules: Schedules
    worker: Worker
    warming: Warming | None
    """None where no run starts warm."""
    services: Services
    local_key: ApiKey
    """Of the commands of this machine."""

    def duties(self) -> dict[str, Coroutine[None, None, None]]:
        """Loops that run for ever, by name."""
        hints = {} if self.redis is None else {"hints": self.redis.run()}
        templates = {} if self.warming is None else {"templates": self.warming.run_forever()}
        return {
            **hints,
            **templates,
            "schedules": self.schedules.run_forever(),
            "promotion": promote_forever(self.store, self.bus),
            "tidying": tidy_forever(self.store, *self.settings.kept_us),
            "webhooks": self.services.webhooks.run_forever(),
            "sweep": sweep_forever(self.store, self.bus, self.settings.sweep_seconds),
        }

    def ready(self, url: str, login_url: str, home: Home) -> Ready:
        about = self.services.about
        shown = str(home.database) if about.database == "sqlite" else about.database
        return Ready(url, login_url, home.root, shown, about.sandbox, tuple(about.degraded))


async def open_platform(settings: Settings, home: Home, stack: AsyncExitStack) -> Platform:
    """Open every part; `stack` closes them, last first. The caller holds the home's lock."""
    redis = _open_redis(settings)
    bus = redis or LocalBus()
    level = None if settings.sandbox == "auto" else Level(settings.sandbox)
    warm = WarmOptions(settings.warm == "on", settings.slots + _SPARE_SLOTS, settings.warm_memory)
    executor = await ProcessExecutor.open(home.root / "sandboxes", level=level, warm=warm)
    stack.push_async_callback(_close, executor)
    store = await _open_store(settings, home)
    stack.push_async_callback(store.close)
    blobs = LocalBlobs(home.blobs)
    builder = LocalBuilder(home.root, blobs, environ=host_environment(), executor=executor)
    catalog = Catalog(store)
    deployments = Deployments(store, builder, bus, catalog)
    stack.push_async_callback(deployments.close)
    keys = Keys(store)
    local_key = await _ensure_key(keys, home)
    check_exposure(settings.host, has_keys=bool(await keys.list()))
    await deployments.recover()
    if not settings.database_url.startswith("postgres"):
        await take_back_runs(store, bus)  # the home is ours: every earlier worker is gone
    payloads = Payloads(blobs)
    secrets = Secrets(store, Cipher(settings.secrets_key or home.secrets_key_bytes()))
    outbound = Outbound(settings.webhook_hosts)
    stack.push_async_callback(outbound.close)
    webhooks = Webhooks(store, payloads, secrets, outbound)
    supervision = Supervision(executor, lambda: _kill_supervisor(executor))
    resolver = Resolver(builder, payloads, secrets, store.steps)
    worker = Worker(
        Bench(store, bus, executor, supervision, resolver, payloads, SystemClock()), _options(settings)
    )
    is_warm = settings.warm == "on" and executor.info.level is Level.NAMESPACES
    warming = Warming(store, bus, executor, resolver) if is_warm else None
    schedules = Schedules(store, blobs, bus)
    about = About(
        version=version("ao-platform"),
        home=home.root,
        database="postgresql" if settings.database_url.startswith("postgres") else "sqlite",
        started_us=SystemClock().now_us(),
        sandbox=str(executor.info.level),
        degraded=executor.info.degraded,
    )
    services = Services(
        runs=Runs(store, blobs, bus, catalog, webhooks, Backpressure(store, *settings.queue_limits)),
        webhooks=webhooks,
        steps=Steps(store, payloads),
        replays=Replays(store, catalog, bus),
        questions=Questions(store, payloads, bus, SystemClock()),
        logs=Logs(store),
        deployments=deployments,
        schedules=schedules,
        secrets=secrets,
        keys=keys,
        logins=Logins(store, keys),
        audit=AuditLog(store),
        store=store,
        bus=bus,
        about=about,
        uploads=home.uploads,
        max_upload=settings.max_upload,
        local_only=settings.loopback,
        checks=(
            *redis_checks(redis),
            supervisor_check(executor),
            worker_check(worker),
            warm_check(settings.warm, executor),
        ),
        template=warming.template if warming is not None else lambda _agent, _version: None,
    )
    return Platform(
        settings, store, bus, redis, executor, deployments, schedules, worker, warming, services, local_key
    )


def _options(settings: Settings) -> WorkerOptions:
    return WorkerOptions(
        name=socket.gethostname(),
        slots=settings.slots,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        grace_seconds=settings.grace_seconds,
    )


def _kill_supervisor(executor: ProcessExecutor) -> None:
    try:
        os.kill(executor.supervisor_pid, signal.SIGKILL)
    except (ProcessLookupError, SandboxError):
        log.info("the sandbox supervisor is gone already")


async def _close(executor: ProcessExecutor) -> None:
    """End the supervisor; one that does not end by itself is killed."""
    closing = asyncio.ensure_future(executor.close())
    _, late = await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
    if late:
        log.error("the sandbox supervisor does not end; killing it")
        _kill_supervisor(executor)
    await closing


async def _open_store(settings: Settings, home: Home) -> Store:
    if settings.database_url.startswith("postgres"):
        return await open_postgres(settings.database_url)
    return await open_sqlite(Path(settings.database_url.removeprefix("sqlite:///")))


def _open_redis(settings: Settings) -> "RedisBus | None":
    if settings.redis_url is None:
        return None
    from ao.bus.redis import RedisBus  # noqa: PLC0415 - one process alone does not pay for it

    return RedisBus(settings.redis_url)


async def _ensure_key(keys: Keys, home: Home) -> ApiKey:
    """The key for the commands of this machine, readable by its user only; made when there is none."""
    key = await keys.authenticate(home.api_key.read_text().strip()) if home.api_key.exists() else None
    if key is None:
        key, token = await keys.issue("local", Role.ADMIN)
        write_private(home.api_key, token)
    return key


def application(services: Services) -> FastAPI:
    """The API and the dashboard."""
    return create_app(services, Site(SITE_PATH, create_dashboard(services)))


@asynccontextmanager
async def _listening(platform: Platform, listening: socket.socket, home: Home) -> AsyncIterator[str]:
    app = application(platform.services)
    async with Listener(app, listening, platform.services.closing) as listener:
        home.write_server_file(listener.url)
        try:
            yield listener.url
        finally:
            home.server_file.unlink(missing_ok=True)
