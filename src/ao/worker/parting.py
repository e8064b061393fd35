"""The end of a warm run whose child leaves nothing behind: it is written down while the process goes."""

import asyncio
import math
from collections.abc import Callable

from ao.logs import get_logger
from ao.sandbox import Message, Sandbox, SandboxExit, StopCause

log = get_logger(__name__)

EXIT_SECONDS = 2.0
"""A process that said that it exits is gone by then, or is killed."""
STOP_SECONDS = 15.0
"""And by then, or its supervisor hangs."""


def exit_as_told(over: Message) -> SandboxExit:
    """The end of a process before it happens, with what it says that it has used."""
    cpu, rss = over.get("cpu"), over.get("rss")
    if isinstance(cpu, float) and math.isfinite(cpu) and cpu >= 0 and type(rss) is int and 0 <= rss < 1 << 62:
        return SandboxExit(0, None, None, max_rss_bytes=rss, cpu_seconds=cpu)
    return SandboxExit(0, None, None)


def see_off(sandbox: Sandbox, run: str, condemn: Callable[[], None]) -> None:
    """Let it go. When it does not, it is stopped; when that does not help, `condemn` is called."""
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    def stop() -> None:
        log.warning("a process that said it exits does not, and is killed", run=run)
        stopping.append(asyncio.create_task(sandbox.stop(StopCause.TIMEOUT), name=f"stop {run}"))
        timers.append(loop.call_later(STOP_SECONDS, condemn))

    def over(_ended: object) -> None:
        for timer in timers:
            timer.cancel()

    timers = [loop.call_later(EXIT_SECONDS, stop)]
    sandbox.ended.add_done_callback(over)
    sandbox.exits_now()
