"""The life of a process: its lock, its duties, and its end."""

import asyncio
import gc
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from ao import logs
from ao.build.disk import refusals_told
from ao.build.releases import remove_tree
from ao.home import Home
from ao.server.listen import Listener, bind
from ao.settings import Settings
from ao.wiring.ground import Ground
from ao.wiring.membership import member
from ao.wiring.platform import Duties, Platform, open_platform, open_workplace
from ao.wiring.seeding import deploy_first
from ao.wiring.serving import application
from ao.wiring.working import Crew

if TYPE_CHECKING:
    from ao.server.grpc.listen import GrpcListener

log = logs.get_logger(__name__)

FORCED_EXIT = 130
MANY_FILES = 65_536
_COLLECT_AFTER = (10_000, 10, 10)
"""Objects more than at the last collection; of young and of older ones every tenth goes further."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a process tells when it takes requests or runs."""

    home: Path
    database: str
    sandbox: str
    slots: int
    """0: it only serves."""
    degraded: Sequence[str]
    url: str | None = None
    """None: it only works."""
    login_url: str | None = None
    """Logs in to the dashboard, once."""
    grpc: str | None = None
    """`host:port`; None: no gRPC."""


OnReady = Callable[[Ready], None]
Drain = Callable[[], Coroutine[None, None, None]]


def serve(settings: Settings, on_ready: OnReady, *, works: bool = True, project: Path | None = None) -> None:
    """Run a server, and a worker unless it only serves, until SIGINT or SIGTERM; a second signal does not
    wait for runs. A project is live before anybody is served.

    Raises HomeInUse, InvalidConfig, Conflict (port), DatabaseDamaged, SchemaTooNew, SchemaTooOld,
    SandboxError; of a project
    BuildFailed, InvalidInput.
    """
    _run(settings, lambda home, stop, stack: _serve(settings, home, stop, stack, on_ready, works, project))


def work(settings: Settings, on_ready: OnReady) -> None:
    """Run a worker alone, until SIGINT or SIGTERM. Raises as `serve` does."""
    _run(settings, lambda home, stop, stack: _work(settings, home, stop, stack, on_ready))


def _run(
    settings: Settings, life: Callable[[Home, asyncio.Event, AsyncExitStack], Coroutine[None, None, None]]
) -> None:
    logs.configure(settings.log_level, settings.log_format)
    _allow_many_files()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_live(settings, life))
    except BaseExceptionGroup as group:
        raise _first_of(group) from group


def _allow_many_files() -> None:
    """Each client that follows a run is an open file; shells allow 1024 and let a process have more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first; the rest follows from it."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _live(
    settings: Settings, life: Callable[[Home, asyncio.Event, AsyncExitStack], Coroutine[None, None, None]]
) -> None:
    stop = _stop_on_signals()
    home = Home(settings.home)
    home.prepare()
    with home.locked():
        await asyncio.to_thread(_sweep, home)
        async with AsyncExitStack() as stack:
            await life(home, stop, stack)
    log.info("stopped")


async def _serve(
    settings: Settings,
    home: Home,
    stop: asyncio.Event,
    stack: AsyncExitStack,
    on_ready: OnReady,
    works: bool,
    project: Path | None,
) -> None:
    with refusals_told():
        platform = await open_platform(settings, home, stack, works=works)
    listening = bind(settings.host, settings.port)
    stack.callback(listening.close)
    rpc = _open_grpc(platform)
    await stack.enter_async_context(member(platform.ground, "up" if works else "server", stop))
    async with _working(platform.duties(), platform.crew) as drained, AsyncExitStack() as served:
        if project is not None:
            await deploy_first(platform, project)
        http = await served.enter_async_context(_listening(platform, listening, rpc))
        _calm_collector()
        login_path = await platform.services.logins.offer(platform.local_key.id)
        ready = _ready(platform.ground, platform.crew)
        grpc = rpc.address if rpc else None
        on_ready(replace(ready, url=http.url, login_url=http.local_url + login_path, grpc=grpc))
        await stop.wait()
        platform.services.closing.leave()
        await drained()
        if not works:  # others serve: they are asked before this one listens no more
            await asyncio.sleep(settings.drain_seconds)


async def _work(
    settings: Settings, home: Home, stop: asyncio.Event, stack: AsyncExitStack, on_ready: OnReady
) -> None:
    with refusals_told():
        workplace = await open_workplace(settings, home, stack)
    await stack.enter_async_context(member(workplace.ground, "worker", stop))
    async with _working(workplace.duties(), workplace.crew, stop.set) as drained:
        _calm_collector()
        on_ready(_ready(workplace.ground, workplace.crew))
        await stop.wait()
        await drained()


@asynccontextmanager
async def _working(
    duties: Duties, crew: Crew | None, on_drained: Callable[[], None] = lambda: None
) -> AsyncIterator[Drain]:
    """All loops of a process. Yields what ends the worker in order; the duties go on meanwhile. `on_drained` is
    called when it has ended, which it may have been told by somebody else."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_vital(name, duty)) for name, duty in duties.items()]
        worker = group.create_task(_vital("worker", crew.worker.run())) if crew is not None else None
        if worker is not None:
            worker.add_done_callback(lambda _: on_drained())

        async def drained() -> None:
            log.info("stopping")
            if crew is not None and worker is not None:
                crew.worker.drain()
                await worker

        yield drained
        for task in tasks:
            task.cancel()


def _ready(ground: Ground, crew: Crew | None) -> Ready:
    shown = "postgresql" if ground.settings.on_postgres else str(ground.home.database)
    info = ground.executor.info
    slots = 0 if crew is None else ground.settings.slots
    return Ready(ground.home.root, shown, str(info.level), slots, tuple(info.degraded))


def _calm_collector() -> None:
    """What is loaded by now stays: the garbage collector need not look at it again and again, and requests and
    attempts hardly make cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


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
        log.exception("a part crashed; the process ends", part=name)
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


def _open_grpc(platform: Platform) -> "GrpcListener | None":
    settings = platform.ground.settings
    if settings.grpc_port is None:
        return None
    from ao.server.grpc.listen import GrpcListener  # noqa: PLC0415 - who has no use for it does not pay for it

    return GrpcListener(platform.services, settings.host, settings.grpc_port)


@asynccontextmanager
async def _listening(
    platform: Platform, listening: socket.socket, rpc: "GrpcListener | None"
) -> AsyncIterator[Listener]:
    services, home = rpc.services if rpc else platform.services, platform.ground.home
    async with rpc or nullcontext(), Listener(application(services), listening, services.closing) as listener:
        home.write_server_file(listener.local_url)
        try:
            yield listener
        finally:
            home.server_file.unlink(missing_ok=True)
