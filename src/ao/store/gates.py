"""Gates: how many runs that have something in common may go on at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ao.ids import RunId


class Hold(StrEnum):
    """How long a run that was let in holds a gate. In this order a run passes its gates."""

    OPEN = "open"
    """Until it has ended: a run that pauses or waits for a retry still holds it."""
    RUNNING = "running"
    """While it is claimable or running: a run that pauses or waits for a retry has to come in again."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A run with gates becomes claimable when it holds all of them."""

    name: str
    limit: int
    """The run is let in while fewer than so many others hold the gate."""
    hold: Hold

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"nobody could ever pass the gate {self.name} with limit {self.limit}")


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a run does not go on: it waits at a gate."""

    gate: str
    limit: int
    holders: Sequence[RunId]
    ahead: int
    """Others that wait at this gate and are let in before."""


class GateStore(Protocol):
    """Runs come to gates with `RunStore.create`, and hold and leave them with their transitions, in the same
    write. Of those that wait at a gate the one with the highest priority is let in first, and of those the
    oldest; where none has passed it is never overtaken, whatever other gates it has."""

    async def wait_of(self, run_id: RunId) -> Wait | None:
        """The gate that a run waits at; None when it waits at none."""
        ...
