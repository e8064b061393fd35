"""Whether the disk of a worker takes what runs need there, and why it executes none while it does not."""

import asyncio
import shutil
import time
from pathlib import Path

from ao.domain.errors import StorageClosed, StorageFull
from ao.domain.placement import memory_words
from ao.logs import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 1.0
MORE_BYTES = 1 << 20
"""So much more has to be free than when there was not enough."""
LEAST_SECONDS = 3.0
AGAIN_SECONDS = 60.0
"""After that it is tried whatever the disk says: quotas do not show, and another run may need less."""


class Room:
    def __init__(self, directory: Path) -> None:
        """`directory`: where releases, environments and work directories of runs are."""
        self._directory = directory
        self._free = 0
        self._since = 0.0
        self.hold = ""
        """Why nothing is taken; empty: there is room."""

    def lacking(self, error: StorageFull | StorageClosed) -> None:
        """A run could not be prepared for lack of space, here or where an engine keeps images, or where this
        process may not write. What was begun for it has been removed again."""
        self._free, self._since = self._free_bytes(), time.monotonic()
        said = {"directory": str(self._directory), "free": self._free, "error": error.message}
        if isinstance(error, StorageClosed):
            self.hold = error.message
            log.error("no more runs are taken until AO may write there", **said)
            return
        where = "" if error.message == StorageFull().message else f": {error.message}"
        self.hold = f"its disk is full ({memory_words(self._free)} free){where}"
        log.error("the disk is full: no more runs are taken until there is room", **said)

    async def wait(self) -> None:
        """Return when it is worth trying again."""
        while self.hold:
            await asyncio.sleep(LOOK_SECONDS)
            free, held = await asyncio.to_thread(self._free_bytes), time.monotonic() - self._since
            has_more = free >= self._free + MORE_BYTES and held >= LEAST_SECONDS
            if has_more or held >= AGAIN_SECONDS:
                log.info("runs are taken again", free=free)
                self.hold = ""

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._directory).free
