"""What is removed by age: in small writes, so that nobody waits for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ao.ids import RunId


@dataclass(frozen=True, slots=True)
class Kept:
    """How long what is kept, in microseconds; None is for ever."""

    history_us: int | None
    """Events with logs and partial outputs, steps of runs that did not fail, deliveries of webhooks, ticks of
    schedules."""
    audit_us: int | None
    sessions_us: int | None = None
    """Since they were used last."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """One page of a look at ended runs."""

    runs: Sequence[tuple[RunId, int]]
    """With history to remove, and the last seq of it: the event of the run's end stays."""
    last: RunId | None
    """Where the next page starts; None when there is none."""


class RetentionStore(Protocol):
    """Runs themselves stay, with input, output, error, attempts and the event of their end."""

    async def ended_before(self, before_us: int, after: RunId | None, limit: int) -> Scanned:
        """Of the `limit` runs that follow `after`, those that ended before and still have history."""
        ...

    async def drop_history(self, run_id: RunId, up_to: int, limit: int) -> int:
        """Remove at most `limit` events, oldest first; with the last of them go the webhook and, of a run
        that did not fail, steps and questions: a failed one may go on from them. Returns how many events."""
        ...

    async def drop_deliveries(self, before_us: int, limit: int) -> int:
        """Remove finished deliveries of webhooks that were made before, with their tries."""
        ...

    async def drop_ticks(self, before_us: int, limit: int) -> int:
        """Remove the history of ticks that were due before; their schedules know from when on they know it."""
        ...

    async def drop_audit(self, before_us: int, limit: int) -> int: ...
