"""Runs that start by themselves. See `ao.store` for what every method promises."""

from collections.abc import Sequence
from typing import Protocol

from ao.ids import ScheduleId
from ao.store.records import NewRun, Schedule


class ScheduleStore(Protocol):
    async def list(self, agent: str | None) -> Sequence[Schedule]: ...

    async def due(self, limit: int) -> Sequence[Schedule]:
        """Schedules whose `next_us` has come, by the database's clock."""
        ...

    async def fire(
        self, schedule_id: ScheduleId, expected_next_us: int, runs: Sequence[NewRun], next_us: int
    ) -> bool:
        """Create the runs of one or more ticks and move `next_us`, once: False when another replica did."""
        ...

    async def next_due_us(self) -> int | None: ...

    async def now_us(self) -> int:
        """The database's clock."""
        ...
