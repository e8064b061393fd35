"""What the last day's numbers mean: how an agent is, since which release, and what to go back to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ao.domain.run import RunState
from ao.store.insights import HOUR_US, LiveAgent, Tally, bucket_end_us

DAY_US = 23 * HOUR_US
"""So long ago was the first of the last 24 hours of the clock, the present one among them."""
SHAKY_SHARE = 0.05
"""Below this, failures are told as numbers and raise no flag."""
FAILING_SHARE = 0.2
"""An agent of which at least this share of the runs fails needs somebody."""
ENOUGH_RECENT = 3
"""So many runs within the last hour or two say more than those of the whole day."""


@dataclass(frozen=True, slots=True)
class Record:
    """How runs ended. Cancelled ones say nothing about an agent and are not in `ended`."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    p95_us: int | None = None
    """Of completed and failed runs; read from a histogram, at most a fifth too long."""

    @property
    def ended(self) -> int:
        return self.completed + self.failed

    @property
    def is_failing(self) -> bool:
        return self.ended > 0 and self.failed >= FAILING_SHARE * self.ended


def record(tallies: Iterable[Tally]) -> Record:
    counts = {RunState.COMPLETED: 0, RunState.FAILED: 0, RunState.CANCELLED: 0}
    buckets: dict[int, int] = {}
    for tally in tallies:
        counts[tally.state] = counts.get(tally.state, 0) + tally.runs
        if tally.state is not RunState.CANCELLED:
            buckets[tally.bucket] = buckets.get(tally.bucket, 0) + tally.runs
    return Record(
        counts[RunState.COMPLETED], counts[RunState.FAILED], counts[RunState.CANCELLED], quantile(buckets, 0.95)
    )


def quantile(buckets: dict[int, int], share: float) -> int | None:
    """The duration that `share` of the counted runs do not exceed; None when none are counted."""
    rank = share * sum(buckets.values())
    seen = 0
    for bucket in sorted(buckets):
        start_us = bucket_end_us(bucket - 1) if bucket else 0
        if seen + buckets[bucket] >= rank > 0:
            inside = (rank - seen) / buckets[bucket]
            return int(start_us + inside * (bucket_end_us(bucket) - start_us))
        seen += buckets[bucket]
    return None


@dataclass(frozen=True, slots=True)
class Health:
    """One agent at a glance."""

    live: LiveAgent
    word: str
    """healthy, shaky (a few runs fail), failing, idle (nothing ended for a day), building, failed (to build),
    new."""
    day: Record
    """All versions, 24 h."""
    of_live: Record
    """The live version: recent runs when there are enough, else 24 h."""
    is_recent: bool
    """`of_live` is of the last hour or two."""
    since: int | None
    """While failing: the first version of the row of failing ones that ends with the live one."""
    before: tuple[int, Record] | None
    """The version before `since`, where it ran within the day."""
    way_back: int | None
    """The version that a rollback leads to."""

    @property
    def name(self) -> str:
        return self.live.agent.name


def health(live: LiveAgent, tallies: Sequence[Tally]) -> Health:
    """From the tallies of this agent."""
    agent = live.agent
    stable = agent.stable
    recent = record(t for t in tallies if t.version == stable and t.recent)
    is_recent = recent.ended >= ENOUGH_RECENT
    of_live = recent if is_recent else record(t for t in tallies if t.version == stable)
    since, before = _origin(stable, tallies) if of_live.is_failing else (None, None)
    return Health(
        live=live,
        word=_word(live, of_live),
        day=record(tallies),
        of_live=of_live,
        is_recent=is_recent,
        since=since,
        before=before,
        way_back=agent.last_good if agent.last_good != stable else None,
    )


def all_health(agents: Sequence[LiveAgent], tallies: Sequence[Tally]) -> list[Health]:
    """Of every agent, worst first, then by name."""
    by_agent: dict[str, list[Tally]] = {}
    for tally in tallies:
        by_agent.setdefault(tally.agent, []).append(tally)
    found = [health(live, by_agent.get(live.agent.name, [])) for live in agents]
    return sorted(found, key=lambda one: (_ORDER.index(one.word), one.name))


_ORDER = ("failing", "failed", "shaky", "building", "healthy", "idle", "new")


def _word(live: LiveAgent, of_live: Record) -> str:
    if live.agent.stable is None:
        return {"building": "building", "failed": "failed"}.get(live.latest_status, "new")
    if of_live.ended == 0:
        return "idle"
    if of_live.is_failing:
        return "failing"
    return "shaky" if of_live.failed >= SHAKY_SHARE * of_live.ended else "healthy"


def _origin(stable: int | None, tallies: Sequence[Tally]) -> tuple[int | None, tuple[int, Record] | None]:
    """(the version since which an agent fails, the one before with its record)."""
    since = stable
    for version in sorted(
        {t.version for t in tallies if t.version and t.version <= (stable or 0)}, reverse=True
    ):
        found = record(t for t in tallies if t.version == version)
        if version == stable or found.is_failing:
            since = version
        elif found.ended:
            return since, (version, found)
    return since, None
