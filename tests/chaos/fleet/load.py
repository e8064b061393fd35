"""What people and programs do meanwhile: submit at a steady rate and follow runs, from server to server."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypedDict

from tests.chaos.fleet.cluster import Cluster

from ao import Client
from ao.domain.errors import AoError, ServerUnreachable, Unavailable

AT_ONCE = 24
"""Threads that submit: so many may hang at a server that hangs."""
LEASES = 1.5
"""So many leases long are runs that act all the time, which are there when a worker is lost: who does not stop
them in time is seen."""
FOLLOWED = 8
"""Runs that are followed by a stream at a time."""


class Task(TypedDict):
    """Input of the agent in `toiler/`."""

    number: int
    steps: int
    plain: int
    pause: float
    sleeps: float
    host: str
    port: int


def expected_total(task: Task) -> int:
    return sum(range(task["steps"])) + sum(range(task["plain"])) + (1000 if task["sleeps"] else 0)


class Load:
    def __init__(self, cluster: Cluster, rate: float, rng: random.Random) -> None:
        self._cluster = cluster
        self._rng = rng
        self.rate = rate
        """Runs per second."""
        self.tasks: list[Task] = []
        self.accepted: dict[int, str] = {}
        self.followed: dict[str, list[int]] = {}
        """Runs that a stream has followed to their end, and the seqs that came."""
        self.counts: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self._local = threading.local()
        self._clients: list[Client] = []
        self._following = threading.Semaphore(FOLLOWED)
        self._followers: list[threading.Thread] = []
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._adding = threading.Lock()
        self._thread = threading.Thread(target=self._submit_all)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return when everything that was begun has been accepted."""
        self._stopped.set()
        self._thread.join()
        self._pool.shutdown()
        for client in self._clients:
            client.close()

    def join_followers(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for follower in self._followers:
            follower.join(max(0.0, deadline - time.monotonic()))
            assert not follower.is_alive(), "a stream of a run that has ended goes on"

    def _submit_all(self) -> None:
        due = time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            self._add()
            due += 1 / self.rate

    def add_long(self, count: int) -> list[int]:
        """Submit some more that act all the time for longer than a lease; their numbers."""
        return [self._add(is_long=True) for _ in range(count)]

    def _add(self, *, is_long: bool = False) -> int:
        with self._adding:
            task = self._task(len(self.tasks), is_long)
            self.tasks.append(task)
        self._pool.submit(self._submit, task)
        return task["number"]

    def _task(self, number: int, is_long: bool) -> Task:
        rng, witness = self._rng, self._cluster.witness
        plain, pause = is_long or rng.random() < 0.4, rng.uniform(0.04, 0.12)
        long = int(LEASES * self._cluster.size.lease_seconds / pause)
        return Task(
            number=number,
            steps=0 if plain else rng.randrange(1, 5),
            plain=0 if not plain else long if is_long else rng.randrange(4, 14),
            pause=pause,
            sleeps=0.0 if plain or rng.random() > 0.3 else 1.5,
            host=self._cluster.network.here,
            port=witness.port,
        )

    def _submit(self, task: Task) -> None:
        try:
            number = task["number"]
            run_id = self._somewhere(
                number, lambda client: client.run("toiler", dict(task), idempotency_key=f"task-{number}").id
            )
            self.accepted[number] = run_id
            if not self._stopped.is_set() and self._following.acquire(blocking=False):
                follower = threading.Thread(target=self._follow, args=(run_id, number))
                self._followers.append(follower)
                follower.start()
        except BaseException as error:
            self.failures.append(error)

    def _somewhere(self, number: int, ask: Callable[[Client], str]) -> str:
        """Ask one server, then the other, until one of them answers."""
        while True:
            try:
                return ask(self._client(number))
            except (ServerUnreachable, Unavailable) as error:
                self.counts[f"calls refused: {type(error).__name__}"] += 1
                number += 1
                time.sleep(0.2)

    def _client(self, number: int) -> Client:
        """This thread's client of a server."""
        mine: dict[int, Client] = self._local.__dict__.setdefault("clients", {})
        number %= len(self._cluster.servers)
        if number not in mine:
            mine[number] = self._cluster.client(number)
            self._clients.append(mine[number])
        return mine[number]

    def _follow(self, run_id: str, number: int) -> None:
        """A stream over as many connections as it takes, at either server."""
        seqs: list[int] = []
        try:
            while True:
                try:
                    with self._cluster.client(number) as client:
                        seqs += (event.seq for event in client.get_run(run_id).events(after=len(seqs)))
                    break
                except (ServerUnreachable, Unavailable):
                    self.counts["streams that moved to the other server"] += 1
                    number += 1
                    time.sleep(0.2)
            self.followed[run_id] = seqs
        except AoError as error:
            self.failures.append(error)
        finally:
            self._following.release()
