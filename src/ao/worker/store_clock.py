"""The clock of a worker whose machine may have a wrong one: the store's, as it was heard last."""

import asyncio

from ao.clock import SystemClock, boot_seconds
from ao.domain.errors import Unavailable
from ao.logs import get_logger
from ao.store import WorkerStore

log = get_logger(__name__)

HEAR_SECONDS = 60.0
RETRY_SECONDS = 1.0
TOLERATED_US = 500_000
"""Clocks that differ by less agree: what is heard over a network is not exact."""


class StoreClock:
    """Implements `Clock`. It goes on by the time since boot, so that nobody who sets the clock of this machine
    moves it; until `follow_forever` has heard the store, it is that clock."""

    def __init__(self, store: WorkerStore) -> None:
        self._store = store
        self._own = SystemClock()
        self.booted_us: int | None = None
        """When this machine began to count its time, by the store's clock; None: it is not known yet."""

    def now_us(self) -> int:
        return self._own.now_us() if self.booted_us is None else self.booted_us + _boot_us()

    async def follow_forever(self) -> None:
        while True:
            try:
                await self.hear()
                await asyncio.sleep(HEAR_SECONDS)
            except Unavailable as error:
                log.info("the clock of the store is not known now", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def hear(self) -> None:
        asked_us = _boot_us()
        now_us = await self._store.now_us()
        heard_us = _boot_us()
        booted_us = now_us - (asked_us + heard_us) // 2
        tolerated_us = TOLERATED_US + (heard_us - asked_us) // 2
        if self.booted_us is None or abs(booted_us - self.booted_us) > tolerated_us:
            self.booted_us = booted_us
        wrong_us = self._own.now_us() - self.now_us()
        if abs(wrong_us) > tolerated_us:
            log.warning("the clock of this machine is not that of the database", seconds=wrong_us / 1e6)


def _boot_us() -> int:
    return int(boot_seconds() * 1e6)
