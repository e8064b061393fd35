"""What is done to a running fleet. A fault is over when its method returns; what it broke may heal later."""

import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.chaos.fleet.cluster import Cluster
from tests.chaos.fleet.network import Host
from tests.chaos.fleet.processes import Process

LATENCY_SECONDS = 0.2
"""Added to each round trip."""
HOUR = 3600
BUSY_SECONDS = 5.0
UNANSWERED = 0.2
"""Share of commits whose answer is lost."""


@dataclass(frozen=True)
class Death:
    """A worker that was killed, and the runs that it executed."""

    at_us: int
    runs: Sequence[str]


class Faults:
    def __init__(self, cluster: Cluster, rng: random.Random) -> None:
        self._cluster = cluster
        self._rng = rng
        self.deaths: list[Death] = []
        self.counts: Counter[str] = Counter()
        self._lease = cluster.size.lease_seconds

    def all(self) -> dict[str, Callable[[], None]]:
        """By the name under which one can be chosen."""
        return {
            "worker-killed": self.worker_killed,
            "worker-stopped": self.worker_stopped,
            "server-killed": self.server_killed,
            "postgres-crashed": self.postgres_crashed,
            "postgres-crashed-in-recovery": self.postgres_crashed_in_recovery,
            "backends-terminated": self.backends_terminated,
            "redis-killed": self.redis_killed,
            "redis-flushed": self.redis_flushed,
            "cut-from-postgres": self.cut_from_postgres,
            "cut-from-redis": self.cut_from_redis,
            "cut-from-both": self.cut_from_both,
            "slow-network": self.slow_network,
            "clock-forward": self.clock_forward,
            "clock-back": self.clock_back,
            "commits-unanswered": self.commits_unanswered,
            "disk-full": self.disk_full,
        }

    # --- processes ---------------------------------------------------------------------------------

    def worker_killed(self) -> None:
        """kill -9; it comes back when its runs must have been taken over."""
        victim = self._rng.choice(self._cluster.workers)
        runs = self._busy(victim)
        victim.kill()
        self.deaths.append(Death(time.time_ns() // 1000, runs))
        time.sleep(self._lease)
        victim.start()

    def worker_stopped(self) -> None:
        """SIGSTOP for twice the lease: when it wakes, its runs and its sandboxes are gone."""
        victim = self._rng.choice(self._cluster.workers)
        runs = self._busy(victim)
        self.deaths.append(Death(time.time_ns() // 1000, runs))
        victim.signal(signal.SIGSTOP)
        time.sleep(2 * self._lease)
        victim.signal(signal.SIGCONT)

    def server_killed(self) -> None:
        victim = self._rng.choice(self._cluster.servers)
        victim.kill()
        time.sleep(self._rng.uniform(0.5, 2.0))
        victim.start()

    # --- what they share ---------------------------------------------------------------------------

    def postgres_crashed(self) -> None:
        self._cluster.postgres.crash()
        time.sleep(self._rng.uniform(0.0, 2.0))
        self._cluster.postgres.start()

    def postgres_crashed_in_recovery(self) -> None:
        self._cluster.postgres.crash_in_recovery(self._rng)
        self._cluster.postgres.start()

    def backends_terminated(self) -> None:
        for _ in range(6):
            self.counts["connections terminated"] += self._cluster.postgres.terminate_backends(self._rng, 0.5)
            time.sleep(self._rng.uniform(0.1, 1.0))

    def redis_killed(self) -> None:
        self._cluster.redis.kill()
        time.sleep(self._rng.uniform(2.0, 8.0))
        self._cluster.redis.start()

    def redis_flushed(self) -> None:
        """FLUSHALL, and every connection that is subscribed is closed."""
        for _ in range(5):
            self._cluster.redis.flush()
            time.sleep(self._rng.uniform(0.1, 0.5))

    # --- the disk ----------------------------------------------------------------------------------

    def disk_full(self) -> None:
        """Of one worker: not a byte is left for a while, in which it has to unpack a new release."""
        filler = self._cluster.workers[0].home / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        self._cluster.deploy()
        time.sleep(max(8.0, self._lease))
        filler.unlink()

    # --- the network -------------------------------------------------------------------------------

    def cut_from_postgres(self) -> None:
        self._cut([self._cluster.postgres.host])

    def cut_from_redis(self) -> None:
        self._cut([self._cluster.redis.host])

    def cut_from_both(self) -> None:
        self._cut([self._cluster.postgres.host, self._cluster.redis.host])

    def slow_network(self) -> None:
        """From one server and half of the workers."""
        for proxy in self._cluster.proxies:
            proxy.delay = LATENCY_SECONDS / 2
        time.sleep(max(10.0, self._lease))
        for proxy in self._cluster.proxies:
            proxy.delay = 0.0

    def commits_unanswered(self) -> None:
        """They are executed, and the connection is reset before the answer comes."""
        proxy = self._cluster.proxies[0]
        before = proxy.cuts
        proxy.unanswered = UNANSWERED
        time.sleep(max(8.0, self._lease))
        proxy.unanswered = 0.0
        self.counts["commits that were not answered"] += proxy.cuts - before

    # --- the clock ---------------------------------------------------------------------------------

    def clock_forward(self) -> None:
        self._set_clock(HOUR)

    def clock_back(self) -> None:
        self._set_clock(-HOUR)

    def _set_clock(self, seconds: int) -> None:
        victim = self._rng.choice(self._cluster.workers)
        self._cluster.witness.wrong[victim.host.address] = seconds
        victim.set_clock(seconds)
        time.sleep(max(8.0, self._lease))
        victim.set_clock(0)
        self._cluster.witness.wrong[victim.host.address] = 0

    def _cut(self, hosts: Sequence[Host]) -> None:
        victim = self._rng.choice(self._cluster.direct)
        if self._cluster.postgres.host in hosts:
            runs = self._busy(victim)
            self.deaths.append(Death(time.time_ns() // 1000, runs))
        with ExitStack() as stack:
            stack.enter_context(self._cluster.network.cut(victim.host, hosts))
            time.sleep(2 * self._lease)

    def _busy(self, victim: Process) -> list[str]:
        """What it executes, when it has at least two runs in hand or did not get them for a while."""
        until = time.monotonic() + BUSY_SECONDS
        while len(runs := self._executed_by(victim)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        self.counts["runs whose worker was lost"] += len(runs)
        return runs

    def _executed_by(self, victim: Process) -> list[str]:
        with self._cluster.postgres.look() as connection:
            rows = connection.execute(
                "SELECT h.run_id FROM run_head h JOIN worker w ON w.worker_id = h.worker_id "
                "WHERE h.state = 'running' AND w.name = %s",
                (victim.name,),
            )
            return [str(run_id) for (run_id,) in rows]
