"""When a lost connection is tried again; no I/O."""

import random
from typing import Any

from ao.client.wire import Call, LostConnection

TRIES = 10
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
"""All delays together are about half a minute: a server that restarts is back by then."""


class Retry:
    """Counts the failures of one call or stream."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """Progress was made: the next failure is the first again."""
        self._failures = 0

    def delay(self) -> float | None:
        """Seconds to wait before the next try; None when there is none."""
        self._failures += 1
        if self._failures >= TRIES:
            return None
        longest = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.5 ** (self._failures - 1))
        return longest * random.uniform(0.7, 1.0)  # noqa: S311 - spreads clients of a server that restarts

    def after(self, call: Call[Any], lost: LostConnection) -> float | None:
        """Seconds to wait before `call` is sent again; None when it must not be.

        A refused connection at the first try is final: no server runs, and the user waits for that news.
        """
        if self._failures == 0 and lost.refused:
            return None
        if not (call.repeatable or lost.refused):
            return None
        return self.delay()
