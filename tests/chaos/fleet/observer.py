"""Looks into the database from outside of AO, several times a second: how many runs have ended, and until when
each worker had its lease."""

import threading
import time
from collections import deque

import psycopg
from tests.chaos.fleet.services import Postgres

LOOK_SECONDS = 0.1
_ENDED = "SELECT count(*) FROM run_head WHERE state IN ('completed', 'failed', 'cancelled')"
_LEASES = """
SELECT worker_id, name, lease_until_us, lease_until_us > extract(epoch FROM clock_timestamp()) * 1000000
FROM worker"""


class Observer:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._stopped = threading.Event()
        self._ended: deque[tuple[float, int]] = deque()
        """When we looked, and how many runs had ended."""
        self.leases: dict[str, int] = {}
        """Worker → the end of the last lease that it was given."""
        self.alive: frozenset[str] = frozenset()
        """Names of the workers that have a lease now."""
        self._thread = threading.Thread(target=self._look_often)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def ended(self) -> int:
        return self._ended[-1][1] if self._ended else 0

    def rate(self, seconds: float) -> float:
        """Runs per second that have ended in the last `seconds`; 0 when we could not look all that time."""
        now = time.monotonic()
        seen = [(at, count) for at, count in list(self._ended) if at >= now - seconds - 1]
        before = [count for at, count in seen if at <= now - seconds]
        return (seen[-1][1] - before[-1]) / seconds if before else 0.0

    def _look_often(self) -> None:
        connection = None
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                connection = connection or self._postgres.look()
                ended = connection.execute(_ENDED).fetchone()
                leases = connection.execute(_LEASES).fetchall()
            except psycopg.OperationalError:
                connection = None  # it is being hurt
                continue
            assert ended is not None
            self._ended.append((time.monotonic(), int(str(ended[0]))))
            self.alive = frozenset(str(name) for _, name, _, alive in leases if alive)
            for worker_id, _, until, _ in leases:
                self.leases[str(worker_id)] = max(self.leases.get(str(worker_id), 0), int(str(until)))
        if connection is not None:
            connection.close()
