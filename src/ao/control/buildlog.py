"""The live build log: lines are kept in the store in small batches, and readers are told."""

import asyncio
from types import TracebackType

from ao.bus import Bus, build_topic
from ao.clock import Clock, SystemClock
from ao.domain.errors import Unavailable
from ao.ids import DeploymentId
from ao.logs import get_logger
from ao.store import Store

log = get_logger(__name__)

FLUSH_SECONDS = 0.05
RETRY_SECONDS = 1.0
MAX_LINE = 4000
MAX_LINES = 20_000


class BuildLog:
    """Use as an async context manager; `write` may be called from any thread."""

    def __init__(self, store: Store, bus: Bus, deployment_id: DeploymentId, clock: Clock | None = None) -> None:
        self._store = store
        self._bus = bus
        self._id = deployment_id
        self._clock = clock or SystemClock()
        self._loop = asyncio.get_running_loop()
        self._lines: list[tuple[int, str]] = []
        self._written = 0
        self._dirty = asyncio.Event()
        self._writing = asyncio.Lock()

    def write(self, line: str) -> None:
        self._loop.call_soon_threadsafe(self._add, self._clock.now_us(), line)

    def _add(self, at_us: int, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._written += 1
            if self._written < MAX_LINES:
                self._lines.append((at_us, line[:MAX_LINE]))
            elif self._written == MAX_LINES:
                self._lines.append((at_us, f"… the log is cut after {MAX_LINES} lines"))
        self._dirty.set()

    async def flush(self) -> None:
        """Everything written so far is durable when this returns."""
        await asyncio.sleep(0)  # lets lines that other threads wrote arrive
        async with self._writing:
            lines = list(self._lines)
            if lines:
                await self._store.deployments.append_log(self._id, lines)
                del self._lines[: len(lines)]
                self._bus.publish(build_topic(self._id))

    async def _flush_forever(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Unavailable as error:
                log.warning("build log not written yet", deployment=self._id, error=error.message)
                self._dirty.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def __aenter__(self) -> "BuildLog":
        self._flusher = asyncio.create_task(self._flush_forever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flusher.cancel()
        await asyncio.wait({self._flusher})
        if not self._flusher.cancelled():
            self._flusher.result()
        await self.flush()
