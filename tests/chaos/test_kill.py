"""kill -9 and SIGSTOP at seeded random moments; afterwards every promise must hold.

CHAOS_SEED and CHAOS_RUNS repeat or lengthen one; both are printed.
"""

import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

from tests.chaos.blows import SETTINGS, Chaos, connect
from tests.platform import Up, processes_mentioning, until

from ao import Client
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import ServerUnreachable, Unavailable
from ao.domain.event import EventKind
from ao.domain.run import TERMINAL, RunState

AGENT = Path(__file__).parent / "agent"
KEPT = ("supervisor.lock", "shared")
"""What stays in the directory of the sandboxes between runs."""


class Task(TypedDict):
    """Input of the agent in `agent/`."""

    number: int
    milliseconds: int
    fails_once: bool
    port: int
    """Where its signs of life go."""


class SignsOfLife:
    """What attempts say of themselves, whether AO hears of it or not."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.seen: dict[int, dict[int, tuple[int, int]]] = {}
        """Task → attempt → first and last nanosecond since boot."""
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while data := self._socket.recv(100):
            number, attempt, stamp = map(int, data.split())
            first, last = self.seen.setdefault(number, {}).get(attempt, (stamp, stamp))
            self.seen[number][attempt] = (min(first, stamp), max(last, stamp))

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def check_no_overlap(self, tally: Counter[str]) -> None:
        """An attempt begins after the one before it has shown its last sign of life."""
        for number, attempts in self.seen.items():
            spans = [attempts[attempt] for attempt in sorted(attempts)]
            for (_, last), (first, _) in pairwise(spans):
                assert last < first, f"two attempts of task {number} at once: {attempts}"
            tally["attempts seen alive"] += len(spans)


def submit(up: Up, tasks: list[Task], accepted: dict[int, str]) -> None:
    """Submit every task until it is accepted, whatever happens to the server meanwhile."""
    for task in tasks:
        while task["number"] not in accepted:
            try:
                with connect(up) as client:
                    run = client.run("chaos", dict(task), idempotency_key=f"task-{task['number']}")
                    accepted[task["number"]] = run.id
            except (ServerUnreachable, Unavailable):
                time.sleep(0.05)


def check_run(client: Client, run_id: str, task: Task, tally: Counter[str]) -> None:
    """The promises for one run: one end, one result, the right one, and events without a gap."""
    handle = client.get_run(run_id)
    run = handle.view
    assert run.state is RunState.COMPLETED, f"{run_id}: {run.state}: {run.error}"
    assert run.output == {"number": task["number"], "square": task["number"] ** 2}
    events = list(handle.events())
    assert [event.seq for event in events] == list(range(1, run.last_seq + 1))
    ends = [event for event in events if event.kind is EventKind.STATE and event.data["to"] in TERMINAL]
    results = [e for e in events if e.kind is EventKind.ATTEMPT_FINISHED and e.data["kind"] == "completed"]
    assert (len(ends), len(results), ends[0].seq) == (1, 1, run.last_seq)
    starts = [e.data for e in events if e.kind is EventKind.STATE and e.data["to"] == RunState.RUNNING]
    tally["attempts"] += len(starts)
    finished = [e.data["kind"] for e in events if e.kind is EventKind.ATTEMPT_FINISHED]
    tally["killed attempts"] += finished.count("signal")
    tally["lost attempts"] += sum(1 for e in events if e.data.get("reason") == "lost")


def test_no_run_is_lost_or_ends_twice_under_kill_and_stop(tmp_path: Path) -> None:
    torment(tmp_path / "home", SETTINGS, int(os.environ.get("CHAOS_RUNS", "300")))


def test_no_run_is_lost_or_ends_twice_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    total = int(os.environ.get("CHAOS_RUNS", "300")) // 5
    torment(tmp_path / "home", {**SETTINGS, "AO_DATABASE_URL": postgres_url}, total)


def torment(home: Path, settings: Mapping[str, str], total: int) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(2**32)))
    print(f"chaos: seed {seed}, {total} runs", flush=True)
    began = time.monotonic()
    up, signs = Up(home, settings), SignsOfLife()
    try:
        up.start()
        tally = _survive(up, random.Random(seed), total, signs.port)
    finally:
        up.stop()
        signs.close()
    signs.check_no_overlap(tally)
    until(lambda: not processes_mentioning(str(home)), 60, lambda: processes_mentioning(str(home)))
    left = [path for path in (home / "sandboxes").iterdir() if path.name not in KEPT]
    left += [path for name in ("work", "uploads") for path in (home / name).iterdir()]
    assert left == []
    tally["seconds"] = round(time.monotonic() - began)
    print(f"chaos: seed {seed}: {dict(tally)}", flush=True)


def _survive(up: Up, rng: random.Random, total: int, port: int) -> Counter[str]:
    with connect(up) as client:
        assert client.deploy(AGENT).wait().view.status is DeploymentStatus.SUCCEEDED
    tasks = [
        Task(number=number, milliseconds=rng.randrange(20, 900), fails_once=rng.random() < 0.2, port=port)
        for number in range(total)
    ]
    accepted: dict[int, str] = {}
    chaos = Chaos(up, rng)
    submitter = threading.Thread(target=submit, args=(up, tasks, accepted))
    submitter.start()
    deadline = time.monotonic() + 600
    while (unfinished := _unfinished(up)) or submitter.is_alive():
        assert time.monotonic() < deadline, f"runs did not end: {unfinished}; {chaos.counts}"
        # The last runs end in peace: hit by every blow, one would come to the losses that fail a run.
        if unfinished > int(SETTINGS["AO_SLOTS"]) or submitter.is_alive():
            chaos.strike()
        time.sleep(rng.uniform(0.2, 1.5))
    submitter.join()
    with connect(up) as client:
        for task in tasks:
            check_run(client, accepted[task["number"]], task, chaos.counts)
    # Whoever is killed is charged for it, and nobody else.
    assert chaos.counts["killed attempts"] <= chaos.counts["sandbox"]
    return chaos.counts


def _unfinished(up: Up) -> int:
    """Runs that are not terminal; the server is up between two blows, but may still be waking."""
    with connect(up) as client:
        return sum(client.status().runs.values())
