"""What a list of durations says, and how two lists of one run compare. Durations are seconds."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured thing over all rounds of a run."""

    name: str
    group: str
    unit: str
    """`ms` for durations, `1/s` for rates."""
    n: int
    median: float
    p95: float
    p99: float
    min: float
    max: float
    rounds: list[float]
    """The median of each round, in the order in which the rounds ran."""
    about: str = ""

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.rounds), max(self.rounds)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "spread": list(self.spread)}


@dataclass(frozen=True)
class Ratio:
    """`of` divided by `to`, computed in each round by itself so that a slow minute hits both sides."""

    of: str
    to: str
    median: float
    min: float
    max: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between the two nearest ranks; the only value when there is one."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def durations(name: str, group: str, rounds: Sequence[Sequence[float]], about: str = "") -> Figure:
    """A figure in milliseconds from the seconds that each round measured."""
    return _figure(name, group, "ms", [[value * 1e3 for value in part] for part in rounds], about)


def rates(name: str, group: str, rounds: Sequence[float], about: str = "") -> Figure:
    """A figure in 1/s; each round is one measurement."""
    return _figure(name, group, "1/s", [[value] for value in rounds], about)


def ratio(of: Figure, to: Figure) -> Ratio:
    values = [a / b for a, b in zip(of.rounds, to.rounds, strict=True)]
    return Ratio(of.name, to.name, statistics.median(values), min(values), max(values))


def _figure(name: str, group: str, unit: str, rounds: Sequence[Sequence[float]], about: str) -> Figure:
    values = [value for part in rounds for value in part]
    return Figure(
        name=name,
        group=group,
        unit=unit,
        n=len(values),
        median=statistics.median(values),
        p95=percentile(values, 95),
        p99=percentile(values, 99),
        min=min(values),
        max=max(values),
        rounds=[statistics.median(part) for part in rounds],
        about=about,
    )
