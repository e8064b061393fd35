"""Schedules and their ticks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ao.domain.run import RunState
from ao.domain.schedule import Missed, Overlap, TickOutcome
from ao.ids import RunId, ScheduleId
from ao.store.audit import NewAudit
from ao.store.records import NewRun, Payload
from ao.timetable import Timetable


@dataclass(frozen=True, slots=True)
class Pause:
    reason: str
    actor: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Tick:
    """One line of a schedule's history."""

    tick_us: int
    outcome: TickOutcome
    run_id: RunId | None
    """The run that it made; of a skipped one, the run that was in the way."""
    reason: str
    at_us: int
    """When it came to that."""


@dataclass(frozen=True, slots=True)
class Schedule:
    id: ScheduleId
    agent: str
    environment: str
    name: str
    """Unique for each agent."""
    cron: str
    timezone: str
    missed: Missed
    overlap: Overlap
    next_us: int | None
    """None: there is no tick any more."""
    declared: bool = False
    """By a release, which owns it: only its pause is the users'."""
    catch_up_us: int | None = None
    """Ticks that are older than this are never made up for."""
    start_us: int | None = None
    end_us: int | None = None
    priority: int = 0
    input: Payload | None = None
    """None: what the live release declares."""
    pause: Pause | None = None
    actor: str = ""
    created_us: int = 0
    last_tick_us: int | None = None
    last_run_id: RunId | None = None
    """The last run that was made of it, and its tick."""
    last: Tick | None = None
    """The newest line of its history."""
    forgotten_us: int = 0
    """Ticks up to here may have been removed from the history."""
    revision: int = 0
    """Rises with every change; what was decided by an older one is not written."""

    @property
    def paused(self) -> bool:
        return self.pause is not None

    @property
    def timetable(self) -> Timetable:
        return Timetable(self.cron, self.timezone, self.start_us, self.end_us)


@dataclass(frozen=True, slots=True)
class PlannedTick:
    tick_us: int
    run: NewRun | None
    """None: there will be no run, for this reason."""
    reason: str = ""
    outcome: TickOutcome = TickOutcome.MISSED
    """What is noted when there is no run."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of ticks."""

    made: Sequence[RunId] = ()
    skipped: Sequence[RunId] = ()
    """The runs that were in the way, one for each tick."""
    cancelled: Sequence[tuple[RunId, RunState]] = ()
    """Earlier runs that were cancelled, as `RunStore.cancel` tells it."""


@dataclass(frozen=True, slots=True)
class TickFilter:
    outcome: TickOutcome | None = None
    since_us: int | None = None
    before_us: int | None = None
    """Keyset cursor: only ticks earlier than this."""


class ScheduleStore(Protocol):
    """The overlap policy is decided in the write that makes the run, from the runs of fired and triggered ticks
    that have not ended. Those of a backfill are in nobody's way."""

    async def create(self, schedule: Schedule, audit: NewAudit | None = None) -> Schedule:
        """`Conflict` when the agent has one of this name."""
        ...

    async def change(self, schedule: Schedule, audit: NewAudit | None = None) -> Schedule:
        """Write everything that can be changed, if the revision is still the schedule's; else `StaleWrite`."""
        ...

    async def delete(self, schedule: Schedule, audit: NewAudit | None = None) -> None:
        """Its runs go on. Its history goes by age."""
        ...

    async def get(self, agent: str, name: str) -> Schedule:
        """`NotFound`, with the nearest name as hint."""
        ...

    async def list(self, agent: str | None) -> Sequence[Schedule]: ...

    async def ticks(self, schedule_id: ScheduleId, where: TickFilter, limit: int) -> Sequence[Tick]:
        """Newest first."""
        ...

    async def due(self, limit: int) -> Sequence[Schedule]:
        """Schedules whose `next_us` has come, by the database's clock."""
        ...

    async def fire(self, schedule: Schedule, ticks: Sequence[PlannedTick], next_us: int | None) -> Fired | None:
        """Make the runs of ticks, note what became of each, and move `next_us`, once: None when another replica
        did, or when the schedule was changed or paused since it was read. No tick fires twice; one that was
        noted as skipped with no run in its way may fire later."""
        ...

    async def trigger(self, schedule: Schedule, run: NewRun, audit: NewAudit | None = None) -> Fired:
        """Make a run now; its tick is this instant. `Conflict` when a run is in the way, and the given overlap
        policy is `skip`."""
        ...

    async def backfill(
        self, schedule: Schedule, runs: Sequence[NewRun], *, force: bool, audit: NewAudit | None = None
    ) -> Fired:
        """Make the runs of past ticks, but of those that had one; `force` makes those, too."""
        ...

    async def now_us(self) -> int:
        """The database's clock."""
        ...
