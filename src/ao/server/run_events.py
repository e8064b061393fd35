"""The events of one run, as a stream reads them."""

from collections.abc import Callable
from typing import Generic, TypeVar

from ao.control.runs import Runs
from ao.domain.event import Event, EventKind
from ao.domain.run import TERMINAL
from ao.server.stream import Batch
from ao.store.records import Run

T = TypeVar("T")

EVENTS_PER_BATCH = 500
_TERMINAL_WORDS = frozenset(state.value for state in TERMINAL)


class RunEvents(Generic[T]):
    """Events as frames; after the last one `to_end` makes one more, for whoever joins late, too."""

    def __init__(
        self,
        runs: Runs,
        run: Run,
        to_frame: Callable[[Event], T],
        to_end: Callable[[Run], T] | None = None,
    ) -> None:
        self._runs = runs
        self._run = run
        self._to_frame = to_frame
        self._to_end = to_end

    async def read(self, after: int) -> Batch[T]:
        ended_before = self._run.head.state.terminal  # looked at first: what is read now is all there is
        events = await self._runs.events(self._run.id, after, EVENTS_PER_BATCH)
        if not events:
            if ended_before:
                return Batch(self._end(), after, ended=True)
            self._run = await self._runs.get(self._run.id)
            return Batch((), after, ended=False, full=self._run.head.state.terminal)
        last = events[-1]
        ended = last.kind is EventKind.STATE and last.data.get("to") in _TERMINAL_WORDS
        frames = [self._to_frame(event) for event in events]
        if ended:
            self._run = await self._runs.get(self._run.id)
            frames += self._end()
        return Batch(frames, last.seq, ended, full=len(events) == EVENTS_PER_BATCH)

    def _end(self) -> list[T]:
        return [self._to_end(self._run)] if self._to_end else []
