"""When a failed attempt is tried again, and how long to wait first."""

from dataclasses import dataclass

JITTER_SECONDS = 1.0
"""The largest random addition to a delay; small enough to keep 1 s, 2 s, 4 s recognisable."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`max_retries` counts retries: 3 retries are 4 attempts."""

    max_retries: int = 3
    backoff: float = 2.0
    """Factor between one delay and the next; 1.0 keeps them equal."""
    initial_delay: float = 1.0
    """Seconds before the first retry."""
    max_delay: float = 300.0
    """Seconds; no delay grows beyond it (jitter comes on top)."""
    jitter: bool = True

    def delay_seconds(self, failures: int, random: float) -> float:
        """Seconds to wait after the `failures`-th failed attempt (from 1); `random` is in [0, 1)."""
        exponent = min(failures - 1, 64)
        delay = min(self.max_delay, self.initial_delay * self.backoff**exponent)
        return delay + (random * JITTER_SECONDS if self.jitter else 0.0)
