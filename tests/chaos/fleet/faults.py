"""What is done to a running fleet. A fault is over when its method returns; what it broke may heal later."""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.chaos.fleet.cluster import Cluster
from tests.chaos.fleet.load import Load
from tests.chaos.fleet.network import Host
from tests.chaos.fleet.processes import Process
from tests.platform import children_of

LATENCY_SECONDS = 0.2
"""Added to each round trip."""
HOUR = 3600
NAMES = (
    "worker-killed",
    "worker-stopped",
    "server-killed",
    "postgres-crashed",
    "postgres-crashed-in-recovery",
    "backends-terminated",
    "postgres-hung",
    "connections-hung",
    "redis-killed",
    "redis-flushed",
    "cut-from-postgres",
    "cut-from-redis",
    "cut-from-both",
    "slow-network",
    "clock-forward",
    "clock-back",
    "commits-unanswered",
    "disk-full",
)
"""Each is a method of `Faults`."""
LONG_RUNS = 2
"""So many that outlast a lease begin just before a worker is lost; more of them, when none went to a worker
that can be chosen."""
LONG_SECONDS = 2.0
LONG_TRIES = 4
UNANSWERED = 0.2
"""Share of commits whose answer is lost."""


@dataclass(frozen=True)
class Death:
    """A worker that was killed, and the runs that it executed."""

    at_us: int
    runs: Sequence[str]


class Faults:
    def __init__(self, cluster: Cluster, load: Load, rng: random.Random) -> None:
        self._cluster = cluster
        self._load = load
        self._rng = rng
        self.deaths: list[Death] = []
        self.counts: Counter[str] = Counter()
        self._lease = cluster.size.lease_seconds

    def all(self) -> dict[str, Callable[[], None]]:
        """By the name under which one can be chosen."""
        return {name: getattr(self, name.replace("-", "_")) for name in NAMES}

    def planted(self) -> None:
        """What AO cannot survive: with the worker its supervisor sleeps, too, which ends its sandboxes when the
        lease does. It is to show that the witness sees what happens then."""
        victim, _ = self._busy(self._cluster.workers)
        asleep = [victim.pid, *children_of(victim.pid)]
        for pid in asleep:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2 * self._lease)
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)

    # --- processes ---------------------------------------------------------------------------------

    def worker_killed(self) -> None:
        """kill -9; it comes back when its runs must have been taken over."""
        victim, runs = self._busy(self._cluster.workers)
        victim.kill()
        self.deaths.append(Death(time.time_ns() // 1000, runs))
        time.sleep(self._lease)
        victim.start()

    def worker_stopped(self) -> None:
        """SIGSTOP for twice the lease: when it wakes, its runs and its sandboxes are gone."""
        victim, runs = self._busy(self._cluster.workers)
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

    def postgres_hung(self) -> None:
        """SIGSTOP for twice the lease: what it was told before, it does when it wakes."""
        self._cluster.postgres.hang(2 * self._lease)

    def connections_hung(self) -> None:
        """About half of them, for twice the lease; the others work."""
        self.counts["connections hung"] += self._cluster.postgres.hang(2 * self._lease, self._rng)

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
        victim, runs = self._busy(self._cluster.direct)
        if self._cluster.postgres.host in hosts:
            self.deaths.append(Death(time.time_ns() // 1000, runs))
        with ExitStack() as stack:
            stack.enter_context(self._cluster.network.cut(victim.host, hosts))
            time.sleep(2 * self._lease)

    def _busy(self, workers: Sequence[Process]) -> tuple[Process, list[str]]:
        """One of them with what it executes: a run that outlasts its lease, when one of them got one."""
        long: list[int] = []
        for _ in range(LONG_TRIES):
            long += self._load.add_long(LONG_RUNS)
            until = time.monotonic() + LONG_SECONDS
            while time.monotonic() < until:
                time.sleep(0.05)
                lasting = {self._load.accepted.get(number) for number in long}
                found = [(each, runs) for each in workers if lasting & {*(runs := self._executed_by(each))}]
                if found:
                    victim, runs = self._rng.choice(found)
                    self.counts["runs whose worker was lost"] += len(runs)
                    self.counts["of these, runs that outlast its lease"] += len(lasting & {*runs})
                    return victim, runs
        victim = self._rng.choice(workers)
        return victim, self._executed_by(victim)

    def _executed_by(self, victim: Process) -> list[str]:
        with self._cluster.postgres.look() as connection:
            rows = connection.execute(
                "SELECT h.run_id FROM run_head h JOIN worker w ON w.worker_id = h.worker_id "
                "WHERE h.state = 'running' AND w.name = %s",
                (victim.name,),
            )
            return [str(run_id) for (run_id,) in rows]
