"""A fleet under load, and one fault after the other: its promises hold, and soon after it works as before."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.fleet import cluster as clusters
from tests.chaos.fleet.cluster import Cluster, Size
from tests.chaos.fleet.faults import Faults
from tests.chaos.fleet.invariants import LATE, Ledger, broken, recoveries
from tests.chaos.fleet.load import Load
from tests.chaos.fleet.observer import Observer

from ao.build.releases import remove_tree

WINDOW_SECONDS = 5.0
"""Over so long the rate of completions is taken."""
BACK = 0.95
"""Of the rate at which runs are submitted."""
BACK_SECONDS = 30.0
"""After a fault the rate is back by then."""
RECOVERY_SECONDS = 15.0
"""After the death of a worker its runs are executed elsewhere by then."""
DRAIN_SECONDS = 90.0


@dataclass(frozen=True)
class Form:
    seed: int
    faults: tuple[str, ...] = ()
    """In this order; empty: every one, shuffled, or none where something is planted."""
    rounds: int = 1
    rate: float = 6.0
    """Runs per second."""
    size: Size = field(default_factory=Size)
    patience: float = 1.0
    """So many times as long as promised it may take until all is well again."""
    planted: bool = False
    """At the end a promise is broken on purpose: the soak has failed when the witness does not see it."""


class FleetSoak:
    def __init__(self, root: Path, form: Form) -> None:
        self._root = root
        self._form = form
        self._rng = random.Random(form.seed)
        self.counts: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self._back: dict[str, float] = {}
        """Fault → the longest time until the rate was back."""
        self._workers: set[str] = set()

    def run(self) -> None:
        form, rng = self._form, self._rng
        print(f"fleet: seed {form.seed}", flush=True)
        with clusters.running(form.size, self._root, random.Random(rng.random())) as cluster:
            cluster.deploy()
            observer, load = Observer(cluster.postgres), Load(cluster, form.rate, random.Random(rng.random()))
            faults = Faults(cluster, load, random.Random(rng.random()))
            began = time.monotonic()
            observer.start()
            load.start()
            try:
                self._torment(cluster, faults, observer)
                load.stop()
                self._drain(load, observer)
            finally:
                load.stop()
                observer.stop()
            self.seconds["under load"] = time.monotonic() - began
            self._check(cluster, load, observer, faults)

    def _torment(self, cluster: Cluster, faults: Faults, observer: Observer) -> None:
        every = faults.all()
        self._workers = {worker.name for worker in cluster.workers}
        self._await_rate("warming up", observer)
        for _ in range(self._form.rounds):
            names = list(self._form.faults)
            if not names and not self._form.planted:
                names = list(every)
                self._rng.shuffle(names)
            for name in names:
                self._suffer(name, every[name], observer)
        if self._form.planted:
            self._suffer("planted", faults.planted, observer)

    def _suffer(self, name: str, fault: Callable[[], None], observer: Observer) -> None:
        began = time.monotonic()
        fault()
        lasted = time.monotonic() - began
        back = self._await_rate(name, observer)
        self._back[name] = max(self._back.get(name, 0.0), back)
        self.counts[f"fault: {name}"] += 1
        print(f"  {name:<30} {lasted:5.1f} s, then {back:4.1f} s until the rate was back", flush=True)

    def _await_rate(self, name: str, observer: Observer) -> float:
        """Seconds until the end of the first window from now on in which enough was completed, and every worker
        has a lease."""
        began = time.monotonic()
        wanted = BACK * self._form.rate
        while True:
            time.sleep(0.1)
            waited, rate = time.monotonic() - began, observer.rate(WINDOW_SECONDS)
            if waited >= WINDOW_SECONDS and rate >= wanted and observer.alive >= self._workers:
                return waited
            assert waited < 3 * BACK_SECONDS * self._form.patience, (
                f"after {name}: {rate:.1f} runs/s, not {wanted:.1f}; without {self._workers - observer.alive}"
            )

    def _drain(self, load: Load, observer: Observer) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS * self._form.patience
        while observer.ended < len(load.accepted) and time.monotonic() < deadline:
            time.sleep(0.1)
        load.join_followers(DRAIN_SECONDS * self._form.patience)

    def _check(self, cluster: Cluster, load: Load, observer: Observer, faults: Faults) -> None:
        assert not load.failures, load.failures
        ended = {p.name: p.status for p in (*cluster.servers, *cluster.workers) if p.status is not None}
        ledger = Ledger(cluster.postgres)
        counts, told = broken(ledger, load, cluster.witness.heard, observer.leases)
        for process in (*cluster.servers, *cluster.workers):
            hung = process.log.read_text().count("the sandbox supervisor hangs")
            counts["supervisors that were killed and did not hang"] += hung
        recovered = recoveries(ledger, faults.deaths)
        self._count(cluster, load, faults, ledger)
        self.counts.update(counts)
        self.counts["broken promises"] = counts.total()
        if self._form.planted:
            assert counts.pop(LATE), "the witness has not seen effects that came after a lease"
        self.seconds["slowest recovery of a run whose worker died"] = max(recovered, default=0.0)
        self.seconds["slowest return to the rate"] = max(self._back.values(), default=0.0)
        report = "\n".join(told[:40])
        assert not ended, f"processes ended by themselves: {ended}"
        assert counts.total() == 0, f"seed {self._form.seed}: {dict(+counts)}\n{report}"
        in_time, back = RECOVERY_SECONDS * self._form.patience, BACK_SECONDS * self._form.patience
        assert max(recovered, default=0.0) <= in_time, f"recovered after {max(recovered):.1f} s"
        slow = {name: f"{seconds:.1f} s" for name, seconds in self._back.items() if seconds > back}
        assert not slow, f"the rate was not back within {back:.0f} s: {slow}"

    def _count(self, cluster: Cluster, load: Load, faults: Faults, ledger: Ledger) -> None:
        self.counts.update(load.counts)
        self.counts.update(faults.counts)
        self.counts["runs"] = len(load.tasks)
        self.counts["attempts"] = sum(len(run.workers) for run in ledger.runs.values())
        self.counts["events"] = sum(len(run.seqs) for run in ledger.runs.values())
        self.counts["steps"] = sum(len(run.steps) for run in ledger.runs.values())
        self.counts["effects"] = sum(len(heard.effects) for heard in cluster.witness.heard.values())
        self.counts["streams"] = len(load.followed)

    def report(self) -> str:
        lines = [f"{count:>9,}  {name}" for name, count in sorted(self.counts.items())]
        return "\n".join([*lines, *(f"{value:>9.1f}  s: {name}" for name, value in self.seconds.items())])


def remove(root: Path) -> None:
    """Releases in it are read-only."""
    remove_tree(root)
