"""Bars of the last day, as numbers for a template: SVG without styles, readable without colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ao.dashboard.formats import plural
from ao.domain.run import RunState
from ao.store.insights import HOUR_US, HourTally, hour_of

HOURS = 24
WIDTH, HEIGHT, BAR = 480, 72, 16
_STEP = WIDTH / HOURS


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    height: float
    kind: str
    """`good` or `failed`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One hour: a place to point at, and its bars."""

    x: float
    hour_us: int
    label: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Chart:
    columns: Sequence[Column]
    largest: int
    """What the full height stands for."""
    summary: str
    """What somebody hears who cannot see it."""


def ended_per_hour(hours: Sequence[HourTally], now_us: int) -> Chart:
    """Completed and failed runs by the hour in which they ended."""
    return _chart(hours, now_us, {RunState.COMPLETED: "good", RunState.FAILED: "failed"})


def failed_per_hour(hours: Sequence[HourTally], now_us: int) -> Chart:
    return _chart(hours, now_us, {RunState.FAILED: "failed"})


def _chart(hours: Sequence[HourTally], now_us: int, kinds: Mapping[RunState, str]) -> Chart:
    counts = {(hour.hour_us, hour.state): hour.runs for hour in hours}
    last = hour_of(now_us)
    starts = [last - HOUR_US * ago for ago in range(HOURS - 1, -1, -1)]
    sums = [sum(counts.get((start, state), 0) for state in kinds) for start in starts]
    largest = max(*sums, 1)
    columns = []
    for number, start in enumerate(starts):
        x, y, bars, words = round(number * _STEP, 2), float(HEIGHT), [], []
        for state, kind in kinds.items():
            runs = counts.get((start, state), 0)
            if runs:
                height = max(2.0, runs / largest * HEIGHT)
                y -= height
                bars.append(Bar(round(x + (_STEP - BAR) / 2, 2), round(max(y, 0), 2), round(height, 2), kind))
                words.append(f"{runs:,} {state}")
        columns.append(Column(x, start, ", ".join(words) or "none", bars))
    total = sum(sums)
    busiest = f", at most {largest:,} in an hour" if total else ""
    return Chart(columns, largest, f"{plural(total, 'run')} in 24 hours{busiest}")
