"""The life of a serving process: its lock, its duties, and its end."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import uvloop

from ao import logs
from ao.build.disk import full_disk_told
from ao.build.releases import remove_tree
from ao.home import Home
from ao.server.listen import Listener, bind
from ao.settings import Settings
from ao.wiring.platform import Platform, Ready, open_platform
from ao.wiring.serving import application

if TYPE_CHECKING:
    from ao.server.grpc.listen import GrpcListener

log = logs.get_logger(__name__)

FORCED_EXIT = 130
_COLLECT_AFTER = (10_000, 10, 10)
"""Objects more than at the last collection; of young and of older ones every tenth goes further."""


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
            rpc = _open_grpc(platform)
            async with asyncio.TaskGroup() as group:
                duties = [group.create_task(_vital(name, duty)) for name, duty in platform.duties().items()]
                worker = group.create_task(_vital("worker", platform.worker.run()))
                async with _listening(platform, listening, rpc) as url:
                    _calm_collector()
                    login_path = await platform.services.logins.offer(platform.local_key.id)
                    on_ready(platform.ready(url, url + login_path, rpc.address if rpc else None))
                    await stop.wait()
                    log.info("stopping")
                    platform.worker.drain()
                    await worker
                for duty in duties:
                    duty.cancel()
    log.info("stopped")


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


def _open_grpc(platform: Platform) -> "GrpcListener | None":
    settings = platform.ground.settings
    if settings.grpc_port is None:
        return None
    from ao.server.grpc.listen import GrpcListener  # noqa: PLC0415 - who has no use for it does not pay for it

    return GrpcListener(platform.services, settings.host, settings.grpc_port)


@asynccontextmanager
async def _listening(
    platform: Platform, listening: socket.socket, rpc: "GrpcListener | None"
) -> AsyncIterator[str]:
    services, home = rpc.services if rpc else platform.services, platform.ground.home
    async with rpc or nullcontext(), Listener(application(services), listening, services.closing) as listener:
        home.write_server_file(listener.url)
        try:
            yield listener.url
        finally:
            home.server_file.unlink(missing_ok=True)
