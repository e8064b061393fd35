"""Schedules: what their words mean, and which ticks become runs."""

from collections.abc import Sequence
from enum import StrEnum

from ao.domain.errors import Conflict
from ao.domain.quantities import duration_text

DECLARED = "cron"
"""Name of the schedule that a release declares with `cron` in ao.toml."""
ON_TIME_US = 60_000_000
"""A tick that is handled within this time was not missed."""
MAX_CAUGHT_UP = 100
"""Ticks of a downtime that are looked at one by one; older ones are told in one line."""
MAX_BACKFILL = 1000


class Missed(StrEnum):
    """What becomes of ticks that fell into a downtime."""

    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"


class Overlap(StrEnum):
    """What becomes of a tick while an earlier run of its schedule has not ended."""

    SKIP = "skip"
    """No run; the tick says which run was in the way."""
    QUEUE = "queue"
    """The run waits until the ones before have ended."""
    CANCEL_PREVIOUS = "cancel_previous"
    """The earlier run is cancelled; this one starts when it has ended."""
    ALLOW = "allow"
    """Both run at the same time."""


class TickOutcome(StrEnum):
    FIRED = "fired"
    SKIPPED = "skipped"
    MISSED = "missed"
    BACKFILLED = "backfilled"
    TRIGGERED = "triggered"

    @property
    def ran(self) -> bool:
        return self not in (TickOutcome.SKIPPED, TickOutcome.MISSED)


def declared_name(environment: str, default_environment: str) -> str:
    return DECLARED if environment == default_environment else f"{DECLARED}-{environment}"


def is_reserved(name: str) -> bool:
    """Names that only releases give."""
    return name == DECLARED or name.startswith(f"{DECLARED}-")


def why_not(
    due: Sequence[int], missed: Missed, overlap: Overlap, catch_up_us: int | None, now_us: int
) -> Sequence[str]:
    """For each of the due ticks, in order: why it becomes no run; empty when it becomes one."""
    return [_why_not(tick == due[-1], missed, overlap, catch_up_us, now_us - tick) for tick in due]


def _why_not(newest: bool, missed: Missed, overlap: Overlap, catch_up_us: int | None, late_us: int) -> str:
    if catch_up_us is not None and late_us > catch_up_us:
        return f"late by more than the catch-up window of {duration_text(catch_up_us / 1e6)}"
    if newest and (missed is not Missed.SKIP or late_us <= ON_TIME_US):
        return ""
    if missed is not Missed.ALL:
        return f"missed = {missed}"
    return "" if overlap is not Overlap.CANCEL_PREVIOUS else "overlap = cancel_previous: a later tick was due"


def still_going(name: str, run_id: str) -> Conflict:
    """A run that was asked for by hand is refused, not skipped."""
    return Conflict(
        f"run {run_id} of schedule {name} has not ended, and its overlap policy is skip",
        hint="wait for it, cancel it, or trigger with another overlap: queue, cancel_previous, allow",
        details={"run_id": run_id},
    )
