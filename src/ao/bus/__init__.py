"""Hints between the parts of AO: "something changed, look". Losing one costs latency, never truth."""

from contextlib import AbstractContextManager
from typing import Protocol

READY = "ready"
"""Topic: runs became claimable."""
DELAYED = "delayed"
"""Topic: a delayed run was added; the promoter looks when it is due."""
SCHEDULES = "schedules"
"""Topic: a schedule changed."""
POINTERS = "pointers"
"""Topic: another version became live."""
CANCEL = "cancel"
"""Topic: a running run was asked to stop."""


def run_topic(run_id: str) -> str:
    """Topic of one run: it has new events."""
    return f"run:{run_id}"


def state_topic(run_id: str) -> str:
    """Topic of one run: its state has changed. Who waits for its end is not woken by each of its steps."""
    return f"state:{run_id}"


def build_topic(deployment_id: str) -> str:
    """Topic of one deployment: its build log or status changed."""
    return f"build:{deployment_id}"


class Subscription(Protocol):
    async def wait(self, timeout_seconds: float | None) -> bool:
        """True when a hint came since the last call (at once if one is waiting), False on timeout.

        Also true when a hint may have been missed, after a broker was away: look, there may be nothing.
        """
        ...

    def notify(self) -> None:
        """As if a hint had come; nobody else is told."""
        ...


class Bus(Protocol):
    """Publishing is cheap and never blocks or fails; hints that nobody waits for are dropped.

    Many hints are one for somebody who has not looked yet. Subscribers of the same process are told at once.
    Hints carry nothing and may get lost: who waits for one also looks by itself now and then.
    """

    def publish(self, topic: str) -> None: ...

    def subscribe(self, *topics: str) -> AbstractContextManager[Subscription]:
        """A hint of any of the topics is one for the subscription."""
        ...


def announce(bus: Bus, run_id: str) -> None:
    """A run's state has changed, and so its events."""
    bus.publish(run_topic(run_id))
    bus.publish(state_topic(run_id))
