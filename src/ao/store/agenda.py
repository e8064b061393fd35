"""What comes next, of everything that servers do at an instant rather than for a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Due(StrEnum):
    LEASES = "leases"
    """The lease of a worker ends."""
    RUNS = "runs"
    """A delayed run, a sleeper, a question or a wait for a first worker is out of time."""
    TICKS = "ticks"
    """A schedule fires."""
    DELIVERIES = "deliveries"
    """A webhook is to be sent."""
    ASIDE = "aside"
    """Runs wait for a deployment to be live, or in the queue of a placement: whether they still have to, is to
    be looked at now and then. Due since 0."""


@dataclass(frozen=True, slots=True)
class Look:
    now_us: int
    """By the store's clock."""
    next_us: Mapping[Due, int]
    """When the first of each kind is due, or was; absent where there is none."""


class AgendaStore(Protocol):
    async def look(self) -> Look:
        """What comes next. One statement, however much waits."""
        ...
