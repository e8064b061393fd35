"""The worker's hold on the sandbox supervisor: one that died is replaced, one that hangs is killed first."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from ao.domain.errors import AoError, SandboxError
from ao.logs import get_logger
from ao.sandbox import Executor

log = get_logger(__name__)

DYING_SECONDS = 30.0
"""A killed supervisor and its sandboxes must be gone by then."""
RETRY_SECONDS = 1.0


class Supervision:
    """`kill` ends the present supervisor, whatever state it is in; the kernel ends its sandboxes with it."""

    def __init__(self, executor: Executor, kill: Callable[[], None]) -> None:
        self._executor = executor
        self._kill = kill
        self._condemned = asyncio.Event()
        self._watching: set[Callable[[], None]] = set()

    @contextmanager
    def watched(self, tell: Callable[[], None]) -> Iterator[None]:
        """Inside, `tell` is called when the supervisor has died."""
        self._watching.add(tell)
        try:
            yield
        finally:
            self._watching.discard(tell)

    def condemn(self, why: str, **fields: object) -> None:
        """Kill a supervisor that does not do what it is told: all its attempts are lost, none hangs."""
        if not self._condemned.is_set():
            log.error("the sandbox supervisor hangs; killing it", why=why, **fields)
            self._condemned.set()
            self._kill()

    async def mend(self, renew: Callable[[], Awaitable[None]]) -> None:
        """Replace each supervisor that dies, and call `renew`. SandboxError when one can not even be killed:
        its sandboxes may be alive, so nothing of this process may go on."""
        while True:
            await self._until_lost()
            log.error("the sandbox supervisor died; starting another")
            for tell in list(self._watching):
                tell()
            await self._restart()
            self._condemned.clear()
            await renew()

    async def _until_lost(self) -> None:
        lost = asyncio.ensure_future(self._executor.lost.wait())
        condemned = asyncio.ensure_future(self._condemned.wait())
        try:
            await asyncio.wait({lost, condemned}, return_when=asyncio.FIRST_COMPLETED)
            if not lost.done():
                await asyncio.wait({lost}, timeout=DYING_SECONDS)
            if not lost.done():
                raise SandboxError(
                    f"the sandbox supervisor did not end within {DYING_SECONDS:.0f} s of being killed",
                    hint="look for processes in state D, then start AO again",
                )
        finally:
            lost.cancel()
            condemned.cancel()

    async def _restart(self) -> None:
        while True:
            restart = asyncio.ensure_future(self._executor.restart())
            try:
                await asyncio.shield(restart)
            except asyncio.CancelledError:
                await asyncio.wait({restart})  # a supervisor that is half there would be nobody's
                raise
            except (AoError, OSError) as error:
                log.error("no new sandbox supervisor yet", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
