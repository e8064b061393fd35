"""Read models: what people and reports ask of many runs at once.

Every method is bounded: at most three statements, and nothing that grows with the number of runs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ao.domain.deployment import DeploymentStatus
from ao.domain.run import RunState
from ao.ids import DeploymentId, Digest, RunId
from ao.store.records import Agent, PointerMove

HOUR_US = 3_600_000_000
BUCKETS_PER_DOUBLING = 2
SCAN = 5_000
"""Runs that one page looks at; a filter that matches few of them says how far it came."""


def hour_of(instant_us: int) -> int:
    """The start of its hour."""
    return instant_us - instant_us % HOUR_US


def bucket_of(duration_us: int) -> int:
    """The number of a duration's bucket: 0 up to a millisecond, then two for each doubling."""
    return max(0, math.ceil(BUCKETS_PER_DOUBLING * math.log2(max(duration_us, 1) / 1000)))


def bucket_end_us(bucket: int) -> int:
    """The longest duration of a bucket."""
    return int(1000 * 2 ** (bucket / BUCKETS_PER_DOUBLING))


@dataclass(frozen=True, slots=True)
class Tally:
    """Ended runs of one version of an agent with about the same duration."""

    agent: str
    version: int
    """0 when a run was cancelled before it had one."""
    state: RunState
    bucket: int
    recent: bool
    """Ended in this or the previous hour of the clock."""
    runs: int


@dataclass(frozen=True, slots=True)
class HourTally:
    hour_us: int
    state: RunState
    runs: int


@dataclass(frozen=True, slots=True)
class LiveAgent:
    """An agent with what its newest version became and how its live version got there."""

    agent: Agent
    latest_status: DeploymentStatus
    latest_at_us: int
    latest_error: str | None
    move: PointerMove | None
    """The last move of `stable` in the default environment."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed, in one line."""

    run_id: RunId
    agent: str
    version: int | None
    message: str
    finished_us: int


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits and what works at this moment."""

    ready: int
    delayed: int
    waiting: int
    """At a gate."""
    running: int
    blocked: Sequence[tuple[str, int]]
    """Agents whose runs wait for a deployment, and how many do."""
    next_since_us: int | None
    """When the run was created that is claimed next."""
    workers: int
    slots: int


@dataclass(frozen=True, slots=True)
class Waits:
    """What of one agent waits for people."""

    agent: str
    count: int
    at_us: int
    """Since when the oldest question waits; when the last dead letter failed."""


@dataclass(frozen=True, slots=True)
class Overview:
    now_us: int
    agents: Sequence[LiveAgent]
    tallies: Sequence[Tally]
    hours: Sequence[HourTally]
    queue: Queue
    failures: Sequence[Failure]
    """The newest few of every agent that is among the newest failures."""
    questions: Sequence[Waits]
    """That can be answered."""
    dead_letters: Sequence[Waits]
    """That were not replayed."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list."""

    id: RunId
    agent: str
    version: int | None
    state: RunState
    attempt: int
    message: str
    """Of the last error."""
    actor: str
    created_us: int
    started_us: int | None
    finished_us: int | None
    due_us: int | None


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs a page shows. Runs are ordered by their creation."""

    agent: str | None = None
    agents: Sequence[str] = ()
    """Only runs of these; empty means all. Not together with `agent`."""
    states: Sequence[RunState] = ()
    version: int | None = None
    text: str | None = None
    """In the last error (upper and lower case are equal), or the beginning of the run's id, at least eight
    digits of it."""
    since_us: int | None = None
    until_us: int | None = None
    older_than: RunId | None = None
    newer_than: RunId | None = None
    """Keyset cursors; at most one of the two."""


@dataclass(frozen=True, slots=True)
class RunPage:
    runs: Sequence[RunRow]
    """Newest first."""
    more: bool
    """There are matching runs beyond the last one, or may be."""
    scanned_to: RunId | None
    """The run at which the search stopped because it had seen enough; None when it saw all there are."""


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    id: DeploymentId
    agent: str
    version: int
    status: DeploymentStatus
    actor: str
    message: str
    error: str | None
    digest: Digest | None
    created_us: int
    finished_us: int | None
    live_version: int | None
    """Of its agent."""
    last_good: bool

    @property
    def live(self) -> bool:
        return self.version == self.live_version


@dataclass(frozen=True, slots=True)
class SecretName:
    name: str
    shared: bool
    """For all agents, not this one alone."""
    version: int


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    name: str
    cron: str
    timezone: str
    next_us: int | None
    paused: bool


@dataclass(frozen=True, slots=True)
class AgentDetail:
    now_us: int
    live: LiveAgent
    config: str | None
    """The live version's, as JSON."""
    tallies: Sequence[Tally]
    hours: Sequence[HourTally]
    schedules: Sequence[ScheduleLine]
    secrets: Sequence[SecretName]
    moves: Sequence[PointerMove]
    """Of `stable`, newest first."""
    deployments: Sequence[DeploymentRow]
    runs: Sequence[RunRow]


class InsightStore(Protocol):
    async def overview(self, since_us: int) -> Overview:
        """All agents, with the runs that ended since the hour of `since_us`."""
        ...

    async def agent(self, name: str, since_us: int, limit: int) -> AgentDetail:
        """One agent with its newest `limit` deployments and runs, or `NotFound`."""
        ...

    async def runs(self, query: RunQuery, limit: int) -> RunPage:
        """One page; looks at `SCAN` runs at most."""
        ...

    async def deployments(
        self, agents: Sequence[str], older_than: DeploymentId | None, limit: int
    ) -> Sequence[DeploymentRow]:
        """Of these agents (empty: of all), newest first."""
        ...

    async def tidy(self, before_us: int) -> None:
        """Remove tallies of hours before, and logins that have expired."""
        ...
