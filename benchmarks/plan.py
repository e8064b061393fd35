"""How much is measured, and with which settings of AO."""

from dataclasses import asdict, dataclass
from typing import Any

SETTINGS = {"AO_LOG_LEVEL": "warning"}
"""What differs from how AO is shipped; the log of requests would be the benchmark's own noise."""


@dataclass(frozen=True)
class Plan:
    rounds: int
    """Every round measures everything once, one after the other, so that ratios come from the same minutes."""
    limits: int
    """Repetitions of each limit of the machine."""
    alone: int
    """Runs one after the other, of each kind."""
    burst: int
    """Runs by all clients at once."""
    concurrency: int
    """Clients of a burst, each on one connection, each waiting for its result before its next run."""
    crowd: int
    """Runs of the isolation check that live together."""
    sandboxes: int
    deploys: int
    steps: int
    """Of each run in steps."""
    sustained: int
    """Warm runs on end, once."""
    pending: int
    """Runs that wait meanwhile, once."""
    idle: float
    """Seconds of an `ao up` that has nothing to do."""
    rollbacks: int
    """Of each round."""
    claims: tuple[int, ...]
    """Pending runs before which a claim on Postgres is timed."""
    openai: bool
    """Also agents that import openai and other packages, which are downloaded for it."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


FULL = Plan(
    rounds=5,
    limits=40,
    alone=40,
    burst=240,
    concurrency=16,
    crowd=32,
    sandboxes=30,
    deploys=3,
    sustained=5000,
    pending=100_000,
    claims=(1_000, 100_000, 1_000_000),
    openai=True,
    idle=60.0,
    rollbacks=10,
    steps=200,
)
QUICK = Plan(
    rounds=2,
    limits=3,
    alone=2,
    burst=8,
    concurrency=4,
    crowd=4,
    sandboxes=2,
    deploys=1,
    sustained=20,
    pending=20,
    claims=(500, 1_000),
    openai=False,
    idle=1.0,
    rollbacks=1,
    steps=5,
)
