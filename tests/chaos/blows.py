"""What is done to a running platform: kill -9 and SIGSTOP at seeded random moments."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

from tests.platform import Up, descendants_of

from ao import Client

SETTINGS = {
    "AO_SLOTS": "8",
    "AO_WARM": "on",
    "AO_LEASE_SECONDS": "2",
    "AO_HEARTBEAT_SECONDS": "0.4",
    "AO_SWEEP_SECONDS": "0.2",
    "AO_LOG_LEVEL": "warning",
}
STALL_SECONDS = 4.0
"""Twice the lease: a stopped worker must have lost its runs and its sandboxes when it wakes."""


class Chaos:
    """Hurts one part of a running platform at a time."""

    def __init__(self, up: Up, rng: random.Random) -> None:
        self._up = up
        self._rng = rng
        self.counts: Counter[str] = Counter()

    def choose(self) -> Callable[[], None]:
        return self._rng.choice([self.server, self.supervisor, self.sandbox, self.sandbox, self.stall])

    def strike(self, blow: Callable[[], None] | None = None) -> None:
        blow = blow or self.choose()
        self.counts[blow.__name__] += 1
        blow()

    def server(self) -> None:
        self._up.kill()
        self._up.start()

    def supervisor(self) -> None:
        self._kill_one(self._up.children())

    def sandbox(self) -> None:
        self._kill_one([pid for child in self._up.children() for pid in descendants_of(child)])

    def stall(self) -> None:
        os.kill(self._up.pid, signal.SIGSTOP)
        time.sleep(STALL_SECONDS)
        os.kill(self._up.pid, signal.SIGCONT)

    def _kill_one(self, pids: list[int]) -> None:
        if pids:
            try:
                os.kill(self._rng.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                self.counts["missed"] += 1


def connect(up: Up) -> Client:
    return Client(home=up.home)
