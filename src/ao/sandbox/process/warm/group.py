"""The slots of one template: a deployment in one environment, with one state of its secrets."""

import asyncio
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ao.sandbox import SandboxSpec, Template
from ao.sandbox.process.box import ProcessSandbox

State = Literal["making", "tidy", "ready", "busy", "ending"]

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 300.0


@dataclass(slots=True, eq=False)
class Slot:
    id: str
    group: "Group"
    uid: int
    made_at: float
    state: State = "making"
    sandbox: ProcessSandbox | None = None
    """The child that waits, or runs."""
    first_fd: int | None = None
    """The process with which the kernel ends all its runs, by a descriptor of the pool's."""
    namespaces: Mapping[str, int] = field(default_factory=dict)
    runs: int = 0
    taken_at: float = 0.0
    """When its run came, on the loop's clock."""
    successor: "Slot | None" = None
    """Made because this one is old; it goes when that is there."""
    bytes: int = 0
    first_bytes: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class Group:
    key: Hashable = field(repr=False)
    template: SandboxSpec
    slots: dict[str, Slot] = field(default_factory=dict)
    why_cold: str = ""
    """Set while no slot may be made."""
    not_before: float = 0.0
    """When to try again, on the loop's clock."""
    failures: int = 0
    """Since a run has ended warm."""
    missed: bool = False
    """A run came and found no child waiting."""
    import_seconds: float = 1.0
    run_seconds: float = 0.0
    """How long a child of late had its run; as far as it matters here."""
    waiters: "deque[asyncio.Future[Slot | None]]" = field(default_factory=deque)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is a child, or a reason why there is none."""

    def described(self) -> Template:
        states = {slot.state for slot in self.slots.values()}
        ready = bool(states & {"ready", "busy", "tidy"})
        return Template(
            self.template.env,
            "ready" if ready else "making" if "making" in states else "cold",
            "" if ready else self.why_cold,
            sum(slot.bytes for slot in self.slots.values()),
        )

    def take(self) -> Slot | None:
        for slot in self.slots.values():
            if slot.state == "ready":
                return _taken(slot)
        return None

    def comes(self) -> bool:
        """Whether its first slot is being made, which has the import of a cold start partly behind it."""
        states = {slot.state for slot in self.slots.values()}
        return "making" in states and not states & {"tidy", "ready", "busy"}

    def comes_soon(self) -> bool:
        """Whether a child is about to wait, or will in less time than a cold start takes: as it seems when
        the runs of now take as long as others did, and as long again as they have taken."""
        now, turn = asyncio.get_running_loop().time(), len(self.waiters) + 1
        usable = [slot for slot in self.slots.values() if slot.state in ("tidy", "ready", "busy")]
        if sum(slot.state == "tidy" for slot in usable) >= turn:
            return True
        taken = [now - slot.taken_at for slot in usable if slot.state == "busy"]
        seconds = max(self.run_seconds, min(taken, default=0.0))
        return seconds * turn < self.import_seconds * len(usable)

    def had_run(self, slot: Slot) -> None:
        """A run has ended: what the next ones are expected to take."""
        seconds = min(asyncio.get_running_loop().time() - slot.taken_at, 2 * self.import_seconds)
        self.run_seconds += (seconds - self.run_seconds) / 8
        self.failures = 0

    def works(self) -> int:
        """How many of its slots have runs."""
        return sum(slot.state == "busy" for slot in self.slots.values())

    def spare(self) -> bool:
        """Whether the next run will find a child, now or soon."""
        return any(slot.state in ("making", "tidy", "ready") for slot in self.slots.values())

    def has_beside(self, slot: Slot) -> bool:
        """Whether another slot serves runs."""
        states = {each.state for each in self.slots.values() if each is not slot}
        return bool(states & {"tidy", "ready", "busy"})

    def offer(self, slot: Slot) -> None:
        """A child waits: it is for the run that has waited longest."""
        slot.state = "ready"
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(_taken(slot))
                return

    def dismiss(self) -> None:
        """Nobody waits in vain."""
        self.settled.set()
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def fail(self, reason: str, now: float, *, lasting: bool) -> None:
        """No slot until the pause is over; it doubles with every failure in a row."""
        self.why_cold = reason
        self.failures += 1
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (self.failures - 1))
        self.not_before = float("inf") if lasting else now + pause
        self.dismiss()


def _taken(slot: Slot) -> Slot:
    slot.state, slot.taken_at = "busy", asyncio.get_running_loop().time()
    return slot
