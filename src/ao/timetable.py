"""When a schedule ticks: a cron expression in a time zone, or `@every` and a length of time.

Daylight saving follows Debian's cron: a time that is skipped ticks right after the gap, a time that comes
twice ticks once; with a wildcard in minute or hour ticks follow the wall clock. `@every`
ticks at the whole multiples of its length since 1970 in UTC, so that its ticks do not depend on when somebody
began to count.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from ao.clock import from_datetime, to_datetime
from ao.domain.errors import Problem
from ao.domain.quantities import parse_duration

EVERY = "@every "
CRON_HINT = 'minute hour day month weekday, such as "0 9 * * 1-5"; or "@every 15m"'
SECOND_US = 1_000_000


class BrokenTimetable(Exception):
    """This timetable has no ticks: an expression or a time zone that this machine does not know."""


@dataclass(frozen=True, slots=True)
class Timetable:
    cron: str
    timezone: str = "UTC"
    start_us: int | None = None
    """No tick before."""
    end_us: int | None = None
    """No tick after."""

    def problem(self) -> Problem | None:
        """What is wrong with it, if anything."""
        try:
            _zone(self.timezone)
        except BrokenTimetable as error:
            return Problem("timezone", str(error), 'an IANA name, such as "Europe/Berlin"')
        try:
            first = next(self._forwards(from_datetime(datetime(2000, 1, 1, tzinfo=UTC))), None)
        except BrokenTimetable as error:
            return Problem("cron", str(error), CRON_HINT)
        if first is None:
            return Problem("cron", f"cron {self.cron!r} never comes: there is no such day")
        return None

    def after(self, instant_us: int) -> int | None:
        """The first tick later than this; None when there is none any more."""
        return next(self.upcoming(instant_us), None)

    def upcoming(self, after_us: int) -> Iterator[int]:
        """Ticks later than `after_us`, in order. Raises BrokenTimetable."""
        if self.start_us is not None:
            after_us = max(after_us, self.start_us - 1)
        end_us = self.end_us
        return takewhile(lambda tick: end_us is None or tick <= end_us, self._forwards(after_us))

    def newest(self, first_us: int, last_us: int, limit: int) -> Sequence[int]:
        """Ticks from `first_us` to `last_us` in order: the newest `limit` of them. The length of the time
        between does not matter. Raises BrokenTimetable."""
        if self.start_us is not None:
            first_us = max(first_us, self.start_us)
        if self.end_us is not None:
            last_us = min(last_us, self.end_us)
        reach = limit
        while True:
            behind = list(islice(takewhile(lambda tick: tick >= first_us, self._backwards(last_us)), reach))
            begin_us = behind[-1] if len(behind) == reach else first_us
            ticks = takewhile(lambda tick: tick <= last_us, self._forwards(begin_us - 1))
            found = deque(ticks, maxlen=limit)
            if begin_us == first_us or len(found) == limit:
                return list(found)
            reach *= 2

    def _forwards(self, after_us: int) -> Iterator[int]:
        period_us = _period_us(self.cron)
        if period_us is not None:
            yield from count((after_us // period_us + 1) * period_us, period_us)
            return
        for moment in _simulated(self.cron, to_datetime(after_us).astimezone(_zone(self.timezone))):
            yield from_datetime(moment)

    def _backwards(self, until_us: int) -> Iterator[int]:
        """Ticks not later than `until_us`, newest first; where clocks are put back it may have others than
        `_forwards`, which decides what is one."""
        period_us = _period_us(self.cron)
        if period_us is not None:
            yield from count(until_us // period_us * period_us, -period_us)
            return
        start = (to_datetime(until_us) + timedelta(seconds=1)).astimezone(_zone(self.timezone))
        for moment in _simulated(self.cron, start, backwards=True):
            tick = from_datetime(moment)
            if tick <= until_us:
                yield tick


def _simulated(cron: str, start: datetime, *, backwards: bool = False) -> CronSim:
    try:
        return CronSim(cron, start, reverse=backwards)
    except CronSimError as error:
        raise BrokenTimetable(f"cron {cron!r} is not valid: {error}") from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise BrokenTimetable(f"{name!r} is not a time zone that this machine knows") from error


def _period_us(cron: str) -> int | None:
    """The period of `@every …`; None for cron expressions."""
    if not cron.startswith(EVERY):
        return None
    try:
        period_us = int(parse_duration(cron.removeprefix(EVERY)) * SECOND_US)
    except ValueError as error:
        raise BrokenTimetable(f"{cron!r}: {error}") from error
    if period_us < SECOND_US:
        raise BrokenTimetable(f"{cron!r} is shorter than a second")
    return period_us
