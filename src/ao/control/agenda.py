"""When the loops of a server have something to do: one look at the store for all of them."""

import asyncio
import random
import time

from ao.bus import DELAYED, SCHEDULES, Bus, Subscription
from ao.domain.errors import Unavailable
from ao.logs import get_logger
from ao.store.agenda import AgendaStore, Due, Look

log = get_logger(__name__)


class Agenda:
    """Looks at the next instant at which something is due, when a hint or a loop asks for it, and by itself
    after `look_seconds` at most: others may have written what comes sooner, and their hints get lost.

    Any number of servers have one. Each tells its own loops, and who comes first does what is due.
    """

    def __init__(self, store: AgendaStore, bus: Bus, look_seconds: float) -> None:
        self._store = store
        self._bus = bus
        self._look_seconds = look_seconds
        self._hints: Subscription | None = None
        self._waiting: dict[Due, asyncio.Future[None]] = {}
        self._told: dict[Due, tuple[int, float]] = {}
        """What each kind was told last: which instant, and until when it is not told the same again."""

    async def due(self, kind: Due) -> None:
        """Wait until something of this kind is due; one loop for each kind. It does what it can and asks again:
        what is still due then, because somebody else holds it, it is told after a pause."""
        told = self._waiting[kind] = asyncio.get_running_loop().create_future()
        if self._hints is not None:
            self._hints.notify()
        try:
            await told
        finally:
            del self._waiting[kind]

    async def run_forever(self) -> None:
        with self._bus.subscribe(DELAYED, SCHEDULES) as self._hints:
            while True:
                pause = self._look_seconds * random.uniform(0.5, 1.0)  # noqa: S311 - spreads servers
                try:
                    pause = self._tell(await self._store.look(), pause)
                except Unavailable as error:
                    log.warning("not known what is due", error=error.message)
                await self._hints.wait(pause)

    def _tell(self, look: Look, pause: float) -> float:
        """Wake the loops that have something to do; returns seconds until the next look."""
        seconds = pause
        for kind, told in self._waiting.items():
            at_us = look.next_us.get(kind)
            if at_us is None or told.done():
                continue
            left = self._left(kind, at_us) if at_us <= look.now_us else (at_us - look.now_us) / 1e6
            if left > 0:
                seconds = min(seconds, left)
            else:
                self._told[kind] = at_us, time.monotonic() + pause
                told.set_result(None)
        return seconds

    def _left(self, kind: Due, at_us: int) -> float:
        """Seconds for which it is not told again what it was told last."""
        told_us, until = self._told.get(kind, (None, 0.0))
        return until - time.monotonic() if told_us == at_us else 0.0
