"""Time. Inside AO an instant is an int: microseconds since the Unix epoch, UTC (`*_us`).

Aware datetimes appear only at the borders (API, CLI, cron).
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """The source of "now"; tests pass `ao.testing.clock.ManualClock`."""

    def now_us(self) -> int:
        """Wall-clock microseconds since the Unix epoch."""
        ...


class SystemClock:
    def now_us(self) -> int:
        return time.time_ns() // 1_000


def boot_seconds() -> float:
    """A clock for deadlines: nobody sets it, and it goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME if hasattr(time, "CLOCK_BOOTTIME") else time.CLOCK_MONOTONIC)


def to_datetime(instant_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=instant_us)


def iso_utc(instant_us: int) -> str:
    """Such as `2026-11-21T09:30:00Z`; with a fraction where there is one."""
    return to_datetime(instant_us).isoformat().replace("+00:00", "Z")


def from_datetime(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime; a naive one is a ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone is not an instant")
    return (moment - _EPOCH) // timedelta(microseconds=1)
