"""Workers, as the store knows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ao.domain.placement import Amounts, Offer, Peer
from ao.ids import RunId, WorkerId


@dataclass(frozen=True, slots=True)
class Worker:
    id: WorkerId
    name: str
    slots: int
    running: int
    sandbox: str
    started_us: int
    heartbeat_us: int
    lease_until_us: int
    offer: Offer
    used: Amounts
    """What its runs have taken of the offer."""
    draining: bool
    version: str
    """Of AO."""
    hold: str = ""
    """Why it takes nothing for now; empty: it does."""

    @property
    def peer(self) -> Peer:
        """As other workers see it."""
        load = (self.slots, self.running, self.used)
        return Peer(self.id, self.name, self.offer, *load, self.draining, self.hold)


@dataclass(frozen=True, slots=True)
class Owned:
    """A run that the store says a worker is executing."""

    run_id: RunId
    fence: int
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Beat:
    """What the store answers to a heartbeat."""

    owned: Sequence[Owned]
    drain: bool
    """It is to end: it gets nothing more."""
    least_load: float | None
    """Share of busy slots of the least loaded other worker; None: it is alone."""
    waiting: bool = False
    """There are runs that could be claimed, if not by everybody."""


@dataclass(frozen=True, slots=True)
class WorkerRun:
    """What a worker executes."""

    run_id: RunId
    agent: str
    attempt: int
    since_us: int
    """Start of the attempt."""


@dataclass(frozen=True, slots=True)
class Queued:
    """Runs with one placement that could be claimed now."""

    placement: str | None
    """`Placement.text()`; None: any worker may take them."""
    runs: int
    """At most `FLEET_COUNTED`."""
    since_us: int
    """Of the one that is next: since when it can be claimed; its creation where any worker may take it."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """All workers, what they execute, and what waits for them, at one instant."""

    now_us: int
    workers: Sequence[Worker]
    runs: Mapping[WorkerId, Sequence[WorkerRun]]
    queues: Sequence[Queued]


FLEET_COUNTED = 10_000
