"""A run as a picture: rows of spans over one axis of time, on which waiting is cut short."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ao.dashboard.formats import SECOND, duration

MAX_ROWS = 500
"""More would freeze a browser; the page has a link to the next ones."""
IDLE_SHARE = 0.12
"""A stretch of waiting is drawn at most this wide, measured against all that is not waiting."""
SHORTEST_CUT_US = 2 * SECOND
MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one row."""

    kind: str
    """Waiting: `delay` before a retry, `queue`, `pause` for an answer or in a sleep. Else how it went: `ok`,
    `bad`, `run` (goes on), `idle` (neither, such as handed back), `kept` (recorded before, not done again)."""
    start_us: int
    end_us: int | None
    """None: it goes on."""
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """An attempt, or a step or span inside one."""

    name: str
    spans: Sequence[Span]
    depth: int = 0
    detail: str = ""
    error: str = ""
    note: str = ""
    """In place of how long it took."""
    path: str = ""
    """Of a step: a new run can begin there."""

    def took_us(self, now_us: int) -> int:
        """The time of its last span, which is the work itself."""
        last = self.spans[-1]
        return (now_us if last.end_us is None else last.end_us) - last.start_us


@dataclass(frozen=True, slots=True)
class Bar:
    kind: str
    x: float
    """Percent of the width."""
    width: float
    open: bool
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    row: Row
    bars: Sequence[Bar]
    took_us: int
    since_us: int | None
    """Start of what goes on."""


@dataclass(frozen=True, slots=True)
class Picture:
    lines: Sequence[Line]
    ticks: Sequence[tuple[float, str]]
    cuts: Sequence[tuple[float, str]]
    """Where time was left out, and how much."""
    hidden: int
    """Rows that are not drawn."""
    end_us: int
    width_us: int
    """What the picture's width stands for."""
    is_open: bool
    kinds: Sequence[str]
    """Of the bars that are there."""


WAITING = ("delay", "queue", "pause")
KINDS = (*WAITING, "bad", "ok", "run", "idle", "kept")


@dataclass(slots=True)
class _Axis:
    """From instants to places, with the long stretches in which nothing was done cut short."""

    start_us: int
    end_us: int
    idle: Sequence[tuple[int, int]]
    cut_us: int = field(init=False)

    def __post_init__(self) -> None:
        waited = sum(end - start for start, end in self.idle)
        busy = self.end_us - self.start_us - waited
        self.cut_us = max(SHORTEST_CUT_US, int(busy * IDLE_SHARE)) if busy else waited

    def place(self, instant_us: int) -> int:
        """Microseconds of the picture from its left edge."""
        lost = [self._lost(start, min(end, instant_us), end) for start, end in self.idle if start < instant_us]
        return instant_us - self.start_us - sum(lost)

    def _lost(self, start: int, until: int, end: int) -> int:
        """How much of an idle stretch is not drawn, up to an instant in it."""
        length = end - start
        if length <= self.cut_us:
            return 0
        passed = until - start
        return passed - passed * self.cut_us // length

    @property
    def width(self) -> int:
        return max(1, self.place(self.end_us))

    def percent(self, instant_us: int) -> float:
        return round(100 * self.place(instant_us) / self.width, 3)

    def cuts(self) -> Iterator[tuple[int, int]]:
        """(the middle of a stretch that is cut, its real length)."""
        for start, end in self.idle:
            if end - start > self.cut_us:
                yield (start + end) // 2, end - start


def draw(rows: Sequence[Row], now_us: int, limit: int = MAX_ROWS) -> Picture:
    """The picture of rows, up to `now_us` for what goes on."""
    spans = [span for row in rows for span in row.spans]
    is_open = any(span.end_us is None for span in spans)
    start_us = min(span.start_us for span in spans)
    end_us = max([now_us] if is_open else [span.end_us or span.start_us for span in spans])
    end_us = max(end_us, start_us + 1000)
    axis = _Axis(start_us, end_us, _idle(spans, start_us, end_us))
    lines = [
        Line(
            row,
            [_bar(span, axis) for span in row.spans],
            row.took_us(end_us),
            next((span.start_us for span in row.spans if span.end_us is None), None),
        )
        for row in rows[:limit]
    ]
    cuts = [(axis.percent(middle), duration(length)) for middle, length in axis.cuts()]
    used = {span.kind for span in spans}
    kinds = [kind for kind in KINDS if kind in used]
    return Picture(
        lines, _ticks(axis, bool(cuts)), cuts, max(0, len(rows) - limit), end_us, axis.width, is_open, kinds
    )


def _bar(span: Span, axis: _Axis) -> Bar:
    end_us = axis.end_us if span.end_us is None else span.end_us
    x = min(axis.percent(span.start_us), 99.7)
    took = duration(end_us - span.start_us)
    return Bar(span.kind, x, max(axis.percent(end_us) - x, 0.3), span.end_us is None, f"{span.label}: {took}")


def _idle(spans: Sequence[Span], start_us: int, end_us: int) -> list[tuple[int, int]]:
    """The stretches in which no attempt and no step was at work."""
    busy = sorted(
        (span.start_us, end_us if span.end_us is None else span.end_us)
        for span in spans
        if span.kind not in WAITING
    )
    idle = []
    reached = start_us
    for start, end in busy:
        if start > reached:
            idle.append((reached, start))
        reached = max(reached, end)
    if reached < end_us:
        idle.append((reached, end_us))
    return idle


def _ticks(axis: _Axis, has_cuts: bool) -> list[tuple[float, str]]:
    """Round numbers of seconds from the start; none after a cut, where the axis means something else."""
    step = next(step for step in _steps() if axis.width <= step * MOST_TICKS)
    first_cut = min((start for start, end in axis.idle if end - start > axis.cut_us), default=axis.end_us)
    ticks = []
    for number in range(MOST_TICKS + 1):
        instant = axis.start_us + number * step
        if instant > first_cut or (has_cuts and instant > axis.end_us) or axis.percent(instant) > 96:
            break
        ticks.append((axis.percent(instant), _tick(number * step)))
    return ticks


def _steps() -> Iterator[int]:
    unit = 1000
    while unit < SECOND:
        yield from (unit, 2 * unit, 5 * unit)
        unit *= 10
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200):
        yield seconds * SECOND
    hours = 6
    while True:
        yield hours * 3600 * SECOND
        hours *= 2


def _tick(span_us: int) -> str:
    if span_us == 0:
        return "0"
    if span_us < SECOND:
        return f"{span_us // 1000} ms"
    if span_us < 60 * SECOND:
        return f"{span_us / SECOND:g} s"
    if span_us < 3600 * SECOND:
        minutes, seconds = divmod(span_us // SECOND, 60)
        return f"{minutes} min" if seconds == 0 else f"{minutes}:{seconds:02d} min"
    return f"{span_us / (3600 * SECOND):g} h"
