"""One run with all that its page says first."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.domain.placement import Peer, Placement
from ao.store.gates import Wait
from ao.store.records import Attempt, Run


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run may go that not every worker may take."""

    placement: Placement
    since_us: int | None
    """When it became claimable; None: it is not."""
    ahead: int
    """Those with the same placement that it takes turns with as one and that come before it."""
    peers: Sequence[Peer]
    """All workers that are alive."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What stands between a pending run and its start, at one instant."""

    now_us: int
    blocked: bool
    """Its agent has no live version."""
    workers: int
    """That are alive."""
    slots: int
    """Of those of them that take runs."""
    running: int
    ready: int
    """Runs that could be claimed now."""
    ahead: int = 0
    """Of these, those that it takes turns with as one and that come before it."""
    gate: Wait | None = None
    """What it waits at."""
    places: Places | None = None
    """None: any worker may take it."""
    held: str = ""
    """Which of the workers takes nothing for now, and why; empty: all do, or are draining."""


@dataclass(frozen=True, slots=True)
class RunDetail:
    run: Run
    attempts: Sequence[Attempt]
    waiting: Waiting | None
    """While it is pending."""
