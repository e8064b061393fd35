"""What waits for a long time must end when the server does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Closing:
    """How a server ends: first it says that it is leaving, then long polls answer and streams end at once."""

    def __init__(self) -> None:
        self.leaving = False
        """It is not ready any more, still answers, and asks for connections to be closed."""
        self.closed = False
        self._waits: set[asyncio.Timeout] = set()

    def leave(self) -> None:
        self.leaving = True

    def close(self) -> None:
        self.leaving = self.closed = True
        for wait in tuple(self._waits):
            end_now(wait)

    @asynccontextmanager
    async def interruptible(self) -> AsyncIterator[asyncio.Timeout]:
        """The body is interrupted with TimeoutError when the server closes, or by `end_now`."""
        async with asyncio.timeout(0 if self.closed else None) as wait:
            self._waits.add(wait)
            try:
                yield wait
            finally:
                self._waits.discard(wait)


def end_now(wait: asyncio.Timeout) -> None:
    if not wait.expired():
        wait.reschedule(asyncio.get_running_loop().time())
