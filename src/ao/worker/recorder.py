"""Buffers the events of one attempt and writes them in batches, each write guarded by the fence."""

import asyncio
import contextlib
from collections.abc import Callable

from ao.bus import Bus, run_topic
from ao.domain.errors import StaleWrite, Unavailable
from ao.domain.event import EventKind, Json, NewEvent
from ao.domain.session import SessionWrite
from ao.domain.step import Step
from ao.ids import RunId
from ao.logs import get_logger
from ao.store import Store
from ao.worker.lines import Line

log = get_logger(__name__)

FLUSH_SECONDS = 0.02
"""How long the first event of a batch waits for others."""
CHUNK_BYTES = 64 * 1024
"""A log event is closed when its lines are this large."""
PENDING_BYTES = 4 << 20
"""More than this unwritten makes the reader of the sandbox's output wait."""
RETRY_SECONDS = 0.5


class Recorder:
    """`on_refused` is called once when the store takes no more of this attempt: it has a newer owner, or its
    events cannot be written. From then on everything is dropped."""

    def __init__(
        self, store: Store, bus: Bus, run_id: RunId, fence: int, attempt: int, on_refused: Callable[[], None]
    ) -> None:
        self._store = store
        self._bus = bus
        self._run_id = run_id
        self._fence = fence
        self._attempt = attempt
        self._events: list[NewEvent] = []
        self._open_log: tuple[str, list[Line], int] | None = None
        self._pending_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._taken = 0
        """Events so far."""
        self._written = 0
        self._waiters: list[tuple[int, asyncio.Future[bool]]] = []
        """How many events must be written, and who waits for it."""
        self._hurry = asyncio.Event()
        """Somebody waits."""
        self._closing = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._doubtful: tuple[int, int] | None = None
        """How many of the events, and bytes, the store may have or not: its answer was lost."""
        self._on_refused = on_refused
        self._refused = False

    def event(
        self,
        kind: EventKind,
        at_us: int,
        data: Json,
        size: int = 256,
        step: Step | None = None,
        session: SessionWrite | None = None,
    ) -> None:
        """`size` is about how many bytes it takes, without the step's record that is written with it."""
        if not self._refused:
            self._close_log()
            self._events.append(NewEvent(kind, at_us, {"attempt": self._attempt, **data}, step, session))
            self._taken += 1
            self._grow(size + (len(step.value or "") if step is not None else 0))

    async def durable(self) -> bool:
        """Return when everything up to now is durable; False when it never will be."""
        if self._refused:
            return False
        self._close_log()
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._taken, written))
        self._hurry.set()
        if self._writer is None:
            self._start_writer()
        return await written

    def lines(self, stream: str, lines: list[Line]) -> None:
        if self._refused:
            return
        for line in lines:
            size = len(str(line[1])) + 32
            if self._open_log and (self._open_log[0] != stream or self._open_log[2] + size > CHUNK_BYTES):
                self._close_log()
            if self._open_log is None:
                self._open_log = (stream, [], 0)
            self._open_log[1].append(line)
            self._open_log = (stream, self._open_log[1], self._open_log[2] + size)
            self._grow(size)

    @property
    def has_room(self) -> bool:
        return self._drained.is_set()

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._drained.wait()

    async def close(self) -> list[NewEvent]:
        """Stop writing; returns what is not yet written, for the caller to write with the attempt's end.
        Whoever still waits in `durable` is told no: its sandbox is gone."""
        self._closing.set()
        self._hurry.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is not None:
            await self._writer
        self._answer_waiters(False, self._taken)
        self._close_log()
        return self._events

    def _grow(self, size: int) -> None:
        self._pending_bytes += size
        if self._pending_bytes > PENDING_BYTES:
            self._drained.clear()
        if self._timer is None and self._writer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._start_writer)

    def _start_writer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._writer = asyncio.create_task(self._write(), name=f"events of {self._run_id}")

    def _close_log(self) -> None:
        if self._open_log is not None:
            stream, lines, _ = self._open_log
            self._open_log = None
            at_us = lines[-1][0]
            assert isinstance(at_us, int)
            data: Json = {"attempt": self._attempt, "stream": stream, "lines": lines}
            self._events.append(NewEvent(EventKind.LOG, at_us, data))
            self._taken += 1

    def _answer_waiters(self, answer: bool, up_to: int) -> None:
        waiting, self._waiters = self._waiters, []
        for number, waiter in waiting:
            if number > up_to:
                self._waiters.append((number, waiter))
            elif not waiter.done():
                waiter.set_result(answer)

    def _refuse(self) -> None:
        """Nothing more is written, and nobody waits for room."""
        self._refused = True
        self._events.clear()
        self._open_log = None
        self._drained.set()
        self._answer_waiters(False, self._taken)
        self._on_refused()

    async def _write(self) -> None:
        """Write batches until there is nothing more. An unavailable store is tried again: nothing is
        lost, the reader of the sandbox's output waits."""
        while self._events or self._open_log or self._waiters:
            self._close_log()
            again = self._doubtful is not None
            count, size = self._doubtful or (len(self._events), self._pending_bytes)
            batch = self._events[:count]
            self._hurry.clear()
            pause, ends_pause = FLUSH_SECONDS, self._hurry
            try:
                if batch:
                    await self._store.runs.append(self._run_id, self._fence, batch, again=again)
            except StaleWrite:
                self._refuse()
                break
            except Unavailable as error:
                log.warning("events not written yet", run=self._run_id, error=str(error))
                if again or error.details.get("outcome") == "unknown":
                    self._doubtful = (count, size)
                pause, ends_pause = RETRY_SECONDS, self._closing
            except Exception:
                log.exception("events cannot be written", run=self._run_id)
                self._refuse()
                break
            else:
                self._doubtful = None
                del self._events[: len(batch)]
                self._written += len(batch)
                self._pending_bytes -= size
                self._drained.set()
                self._answer_waiters(True, self._written)
                self._bus.publish(run_topic(self._run_id))
            if not self._closing.is_set():
                await _set_within(ends_pause, pause)
            elif self._doubtful is not None:
                await asyncio.sleep(RETRY_SECONDS)
            if self._closing.is_set() and self._doubtful is None:
                break
        self._writer = None


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait until `event` is set, but not longer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
