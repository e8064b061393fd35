"""Being known as a process that works on the store: ending when its release may not go on, and tidying its home
when all are asked to."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable

from ao.build import Collected
from ao.domain.errors import AoError, Unavailable
from ao.ids import new_process_id
from ao.logs import get_logger
from ao.store.processes import BEAT_SECONDS, ProcessStore, Role

log = get_logger(__name__)

LEAVE_SECONDS = 5.0


class Membership:
    def __init__(self, processes: ProcessStore, role: Role, tidy: Callable[[], Awaitable[Collected]]) -> None:
        self._processes = processes
        self._tidy = tidy
        self._tidied_us = 0
        self._role: Role = role
        self._id = new_process_id()
        self._host = socket.gethostname()

    async def join(self) -> None:
        """Raises SchemaTooNew, Unavailable."""
        await self._processes.join(self._id, self._role, self._host)

    async def beat_forever(self) -> None:
        """Raises SchemaTooNew when this process has to end."""
        async with asyncio.TaskGroup() as group:
            await self._beat(group)

    async def _beat(self, group: asyncio.TaskGroup) -> None:
        tidying: asyncio.Task[None] | None = None
        while True:
            await asyncio.sleep(BEAT_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - spreads processes
            try:
                asked_us = await self._processes.beat(self._id, self._role, self._host)
            except Unavailable as error:
                log.warning("not told that this process is at work", error=error.message)
                continue
            if asked_us > self._tidied_us and (tidying is None or tidying.done()):
                self._tidied_us = asked_us
                tidying = group.create_task(self._tidy_home())

    async def _tidy_home(self) -> None:
        try:
            done = await self._tidy()
        except (AoError, OSError) as error:
            log.warning("home not tidied; the next time that all are asked", error=str(error))
            return
        counts = {"environments": done.environments, "releases": done.releases}
        log.info("home tidied", **counts, freed_bytes=done.freed_bytes)

    async def leave(self) -> None:
        """It is known soon in any case: nobody waits long for a store that does not answer."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._processes.leave(self._id)
        except (Unavailable, TimeoutError) as error:
            log.warning("not told that this process ends", error=str(error) or "the store does not answer")
