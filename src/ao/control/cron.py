"""Cron expressions with time zones. Daylight saving follows Debian's cron: a time that is skipped runs
right after the gap, a time that comes twice runs once; wildcard hours follow the wall clock."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from ao.clock import from_datetime, to_datetime

MAX_MISSED = 100
"""Ticks that the policy `all` makes up for after a downtime; older ones are dropped."""


def next_tick(cron: str, timezone: str, after_us: int) -> int:
    """The first tick later than `after_us`."""
    start = to_datetime(after_us).astimezone(ZoneInfo(timezone))
    return from_datetime(next(CronSim(cron, start)))


def due_ticks(cron: str, timezone: str, first_us: int, now_us: int) -> list[int]:
    """Ticks from `first_us` to `now_us` in order: the newest `MAX_MISSED` of them. The search goes
    backwards from now, so the length of a downtime does not matter."""
    newest = takewhile(lambda tick: tick >= first_us, _backwards(cron, timezone, now_us))
    return [tick for tick, _ in zip(newest, range(MAX_MISSED), strict=False)][::-1]


def _backwards(cron: str, timezone: str, until_us: int) -> Iterator[int]:
    """Ticks not later than `until_us`, newest first."""
    start = to_datetime(until_us).astimezone(ZoneInfo(timezone)) + timedelta(seconds=1)
    for moment in CronSim(cron, start, reverse=True):
        tick = from_datetime(moment)
        if tick <= until_us:
            yield tick
