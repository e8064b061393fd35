"""Steps, sleeps, pauses, cancels and retries under seeded kills, a quarter of them between a step's effect and
its commit. A witness outside of AO counts effects: what is recorded never happens again.

CHAOS_SEED and CHAOS_STEP_RUNS repeat or lengthen it; both are printed.
"""

import os
import random
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from tests.chaos.test_kill import SETTINGS, Chaos, connect
from tests.platform import Up, processes_mentioning, until

from ao import Client
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import AlreadyAnswered, NotFound, ServerUnreachable, Unavailable
from ao.domain.event import EventKind
from ao.domain.run import TERMINAL, RunState

AGENT = Path(__file__).parent / "stepper"
SECONDS = 400.0


class Task(TypedDict):
    """Input of the agent in `stepper/`."""

    number: int
    steps: int
    sleeps: bool
    asks: bool
    fails: bool
    lingers: float
    port: int


class Witness:
    """Hears of effects and commits from the agents themselves, and kills some of them between the two."""

    def __init__(self, rng: random.Random, kills: int) -> None:
        self._rng = rng
        self._lock = threading.Lock()
        self.kills = kills
        """Agents that may still be killed between effect and commit."""
        self.effects: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        """Task → path → attempts in which it had its effect."""
        self.commits: dict[int, dict[str, int]] = defaultdict(dict)
        """Task → path → the first attempt that knew of the commit."""
        self.counts: Counter[str] = Counter()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as end:
            end.sendall(b"end")
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(10.0)
                try:
                    said = b"".join(iter(lambda: connection.recv(1000), b""))  # noqa: B023 - used at once
                    if said == b"end":
                        return
                    connection.sendall(self._hear(said.decode().split()))
                except OSError:
                    self.counts["cut off while telling"] += 1

    def _hear(self, said: list[str]) -> bytes:
        if len(said) != 4:
            return b"go"  # killed in the middle of a word
        number, attempt, what, path = int(said[0]), int(said[1]), said[2], said[3]
        with self._lock:
            if what == "committed":
                self.commits[number].setdefault(path, attempt)
                return b"go"
            self.effects[number][path].append(attempt)
            if self.kills > 0 and self._rng.random() < 0.3:
                self.kills -= 1
                self.counts["killed between effect and commit"] += 1
                return b"die"
        return b"go"


TOTAL = int(os.environ.get("CHAOS_STEP_RUNS", "120"))


def test_no_recorded_step_is_executed_again_under_kills(tmp_path: Path) -> None:
    torment(tmp_path, SETTINGS, TOTAL)


def test_no_recorded_step_is_executed_again_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    torment(tmp_path, {**SETTINGS, "AO_DATABASE_URL": postgres_url}, TOTAL // 4)


def torment(tmp_path: Path, settings: Mapping[str, str], total: int) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(2**32)))
    print(f"steps chaos: seed {seed}, {total} runs", flush=True)
    up, witness = Up(tmp_path / "home", settings), Witness(random.Random(seed), total // 2)
    try:
        up.start()
        tally = _survive(up, random.Random(seed), total, witness)
    finally:
        up.stop()
        witness.close()
    until(lambda: not processes_mentioning(str(tmp_path)), 15, lambda: processes_mentioning(str(tmp_path)))
    print(f"steps chaos: seed {seed}: {dict(tally)}", flush=True)


def _survive(up: Up, rng: random.Random, total: int, witness: Witness) -> Counter[str]:
    with connect(up) as client:
        assert client.deploy(AGENT).wait().view.status is DeploymentStatus.SUCCEEDED
    tasks = [
        Task(
            number=number,
            steps=rng.randrange(1, 5),
            sleeps=rng.random() < 0.2,
            asks=rng.random() < 0.3,
            fails=rng.random() < 0.2,
            lingers=rng.uniform(0, 0.2),
            port=witness.port,
        )
        for number in range(total)
    ]
    cancelled = {task["number"] for task in tasks if rng.random() < 0.08}
    accepted: dict[int, str] = {}
    chaos = Chaos(up, rng)
    people = threading.Thread(target=_people, args=(up, tasks, cancelled, accepted, chaos.counts))
    people.start()
    deadline = time.monotonic() + SECONDS
    while people.is_alive():
        assert time.monotonic() < deadline, f"runs did not end: {chaos.counts}"
        if _struck(chaos.counts) < total:
            chaos.strike()
        time.sleep(rng.uniform(0.3, 1.5))
    people.join()
    with connect(up) as client:
        for task in tasks:
            _check(client, accepted[task["number"]], task, witness, chaos.counts)
    struck = _struck(chaos.counts)
    between = witness.counts["killed between effect and commit"]
    chaos.counts["kills"] = struck + between
    assert between * 4 >= struck + between, f"{between} of {struck + between} kills between effect and commit"
    return chaos.counts + witness.counts


def _struck(counts: Counter[str]) -> int:
    return sum(counts[blow] for blow in ("server", "supervisor", "sandbox", "stall"))


def _people(
    up: Up, tasks: list[Task], cancelled: set[int], accepted: dict[int, str], counts: Counter[str]
) -> None:
    """Submit, answer and cancel until every run has ended, whatever happens to the server meanwhile."""
    waiting = {task["number"]: task for task in tasks}
    while waiting:
        try:
            with connect(up) as client:
                for number, task in list(waiting.items()):
                    if _attend(client, number, task, number in cancelled, accepted, counts):
                        del waiting[number]
        except (ServerUnreachable, Unavailable):
            time.sleep(0.1)


def _attend(
    client: Client, number: int, task: Task, cancel: bool, accepted: dict[int, str], counts: Counter[str]
) -> bool:
    """Do what one run needs; whether it has ended."""
    if number not in accepted:
        accepted[number] = client.run("stepper", dict(task), idempotency_key=f"task-{number}").id
        return False
    run = client.get_run(accepted[number])
    if cancel and not run.done:
        run.cancel()
        counts["cancels"] += 1
    elif run.state == RunState.PAUSED:
        try:
            run.answer(number)
            counts["answers"] += 1
        except (AlreadyAnswered, NotFound):
            counts["answers that were there already"] += 1
    return bool(run.done)


def _check(client: Client, run_id: str, task: Task, witness: Witness, tally: Counter[str]) -> None:
    """The promises for one run: one end, the right result, and no effect after its commit."""
    handle = client.get_run(run_id)
    run, number = handle.view, task["number"]
    if run.state is RunState.CANCELLED:
        tally["runs cancelled"] += 1
    else:
        assert run.state is RunState.COMPLETED, f"{run_id}: {run.state}: {run.error}"
        expected = sum(range(task["steps"])) + (number if task["asks"] else 0) + 1000
        assert run.output == {"number": number, "total": expected}
        tally["runs completed"] += 1
    events = list(handle.events())
    assert [event.seq for event in events] == list(range(1, run.last_seq + 1))
    ends = [event for event in events if event.kind is EventKind.STATE and event.data["to"] in TERMINAL]
    assert [end.seq for end in ends] == [run.last_seq]
    recorded = {step.path: step.attempt for step in handle.steps() if step.state == "completed"}
    for path, attempts in witness.effects[number].items():
        known = witness.commits[number].get(path)
        again = [attempt for attempt in attempts if known is not None and attempt > known]
        assert not again, f"{run_id}: {path} was recorded in attempt {known} and executed again in {again}"
        assert path not in recorded or max(attempts) == recorded[path], f"{run_id}: {path} after its commit"
        tally["steps"] += 1
        tally["effects"] += len(attempts)
    completed = Counter(str(event.data["path"]) for event in events if event.kind is EventKind.STEP_COMPLETED)
    assert all(count == 1 for path, count in completed.items() if path != "end"), f"{run_id}: {completed}"
    tally["attempts"] += run.attempt
