"""Runs with steps, sleeps, pauses, cancels and retries under seeded kills, many of which come between an effect
and its commit. A witness outside of AO counts effects: what is recorded never happens again, no run is lost."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

from tests.chaos.blows import SETTINGS, Chaos, connect
from tests.chaos.memories import AGENT as STEPPER
from tests.chaos.memories import Memories
from tests.chaos.witness import Heard, Witness
from tests.platform import Up, processes_mentioning, until

from ao import Client
from ao.client import calls
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import AlreadyAnswered, AoError, Conflict, NotFound, ServerUnreachable, Unavailable
from ao.domain.event import EventKind
from ao.domain.run import TERMINAL, RunState
from ao.wire.schemas import EventView, RunView

AGENT = Path(__file__).parent / "stepper"
AT_ONCE = 60
"""Runs that are open at a time, in a long form."""
WATCHED = 4
"""Runs that are followed by a stream at a time."""
GATHER_SECONDS = 0.7
ASSISTANT, BONUS = "generous", 7
"""An assistant of the agent, and what its runs come to more."""
DIE_SECONDS = 5.0
"""So long the sandboxes of a worker that was killed or stopped may live on: its lease, and more."""


class Task(TypedDict):
    """Input of the agent in `stepper/`."""

    number: int
    steps: int
    parallel: int
    sleeps: bool
    asks: bool
    once: bool
    fails: bool
    hopeless: bool
    lingers: float
    session: str
    """Empty: none."""
    assistant: bool
    port: int


@dataclass(frozen=True)
class Form:
    """How long and how hard."""

    runs: int
    seed: int
    seconds: float
    """It has failed when it takes longer."""
    warm: bool = True
    blows: int = 0
    """At least so many against server, supervisor and sandboxes; 0: one for twelve runs."""
    cuts: int = 0
    """It has failed when fewer attempts were cut between effect and commit; 0: about one for four runs."""

    @property
    def wanted_blows(self) -> int:
        return self.blows or self.runs // 12

    @property
    def wanted_cuts(self) -> int:
        return self.cuts or self.runs // 4

    @property
    def at_once(self) -> int:
        return max(8, min(AT_ONCE, self.runs // 4))


def tasks_of(form: Form, rng: random.Random, port: int) -> list[Task]:
    sessions = max(2, form.runs // 20)
    return [
        Task(
            number=number,
            steps=rng.randrange(1, 4),
            parallel=rng.choice((0, 0, 0, 3)),
            sleeps=rng.random() < 0.2,
            asks=rng.random() < 0.3,
            once=rng.random() < 0.2,
            fails=rng.random() < 0.2,
            hopeless=rng.random() < 0.04,
            lingers=rng.uniform(0, 0.1),
            session=f"s{rng.randrange(sessions)}" if rng.random() < 0.3 else "",
            assistant=rng.random() < 0.2,
            port=port,
        )
        for number in range(form.runs)
    ]


class Soak:
    def __init__(self, home: Path, settings: Mapping[str, str], form: Form) -> None:
        rng = random.Random(form.seed)
        self._form = form
        self._up = Up(home, {**SETTINGS, **settings, "AO_WARM": "on" if form.warm else "off"})
        self._witness = Witness(random.Random(rng.random()), die=0.04)
        self._chaos = Chaos(self._up, random.Random(rng.random()))
        self._rng = rng
        self._people_rng = random.Random(rng.random())
        self._tasks = tasks_of(form, rng, self._witness.port)
        self._cancelled = {task["number"] for task in self._tasks if rng.random() < 0.08}
        self.accepted: dict[int, str] = {}
        self._open: dict[str, Task] = {}
        self._followed: dict[str, list[int]] = {}
        """Runs that a stream has followed to their end, and the seqs that came."""
        self._watchers: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self.counts: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        form = self._form
        warm = "warm" if form.warm else "cold"
        print(f"soak: seed {form.seed}, {form.runs} runs, {warm}", flush=True)
        began = time.monotonic()
        try:
            self._up.start()
            with connect(self._up) as client:
                assert client.deploy(AGENT).wait().view.status is DeploymentStatus.SUCCEEDED
                client.assistants.create(ASSISTANT, STEPPER, overrides={"env": {"BONUS": str(BONUS)}})
            self._torment(began + form.seconds)
            self._check()
        finally:
            self._up.stop()
            self._witness.close()
        home = str(self._up.home)
        until(lambda: not processes_mentioning(home), tell=lambda: processes_mentioning(home))
        self.counts["seconds"] = round(time.monotonic() - began)
        self.counts.update({f"blow: {name}": count for name, count in self._chaos.counts.items()})
        self.counts.update({f"cut between by {name}": count for name, count in self._witness.cuts.items()})
        self.counts["cut between effect and commit"] = sum(self._witness.cuts.values())
        return self.counts

    # --- what happens to the platform -------------------------------------------------------------

    def _torment(self, deadline: float) -> None:
        people = threading.Thread(target=self._people)
        people.start()
        while people.is_alive():
            assert time.monotonic() < deadline, f"{len(self._open)} runs did not end: {self._chaos.counts}"
            # The last runs end in peace: hit by every blow, one would come to the losses that fail a run.
            if len(self.accepted) == self._form.runs and len(self._open) <= self._form.at_once // 2:
                self._witness.spare()
            elif self._is_too_quiet():
                self._strike()
            time.sleep(self._rng.uniform(0.2, 1.0))
        people.join()
        for watcher in self._watchers:
            watcher.join(60)
            assert not watcher.is_alive(), "a stream of a run that has ended goes on"
        if self._failure is not None:
            raise self._failure

    def _is_too_quiet(self) -> bool:
        """Whether blows and cuts are behind the runs."""
        share = len(self.accepted) / self._form.runs
        blows, cuts = sum(self._chaos.counts.values()), sum(self._witness.cuts.values())
        return blows < share * self._form.wanted_blows or cuts < share * self._form.wanted_cuts

    def _strike(self) -> None:
        """A blow against a worker waits until its agents stand between an effect and its commit."""
        blow = self._chaos.choose()
        against_worker = blow != self._chaos.sandbox
        if against_worker:
            self._witness.gather(int(SETTINGS["AO_SLOTS"]), GATHER_SECONDS)
            self._witness.blow = blow.__name__
        self._chaos.strike(blow)
        if against_worker:
            self._witness.mourn(DIE_SECONDS)
            self._witness.blow = ""

    # --- what people and programs do --------------------------------------------------------------

    def _people(self) -> None:
        """Submit, answer, cancel and follow until every run has ended, whatever happens to the server."""
        try:
            waiting = list(reversed(self._tasks))
            while waiting or self._open:
                try:
                    with connect(self._up) as client:
                        self._submit(client, waiting)
                        self._attend(client)
                except (ServerUnreachable, Unavailable):
                    self.counts["calls that found no server"] += 1
                time.sleep(0.1)
        except BaseException as error:
            self._failure = error

    def _submit(self, client: Client, waiting: list[Task]) -> None:
        while waiting and len(self._open) < self._form.at_once:
            task = waiting[-1]
            run = client.run(
                None if task["assistant"] else STEPPER,
                dict(task),
                assistant=ASSISTANT if task["assistant"] else None,
                session=task["session"] or None,
                idempotency_key=f"task-{task['number']}",
            )
            self.accepted[task["number"]] = run.id
            self._open[run.id] = task
            waiting.pop()
            alive = sum(watcher.is_alive() for watcher in self._watchers)
            if alive < WATCHED and task["number"] not in self._cancelled:
                self._watchers.append(threading.Thread(target=self._follow, args=(run.id,)))
                self._watchers[-1].start()

    def _attend(self, client: Client) -> None:
        known = dict(self._open)
        listed = {str(run["id"]): run for run in _open_runs(client)}
        for run_id, task in known.items():
            run = listed.get(run_id)
            if run is None:
                # Not in the list of those that go on: it has ended, or it changed its state between two probes.
                if client.get_run(run_id).done:
                    del self._open[run_id]
            elif task["number"] in self._cancelled and self._people_rng.random() < 0.3:
                client.get_run(run_id).cancel()
                self.counts["cancels"] += 1
            elif run["state"] == RunState.PAUSED:
                self._answer(client, run_id, task["number"])

    def _answer(self, client: Client, run_id: str, number: int) -> None:
        try:
            client.get_run(run_id).answer(number)
            self.counts["answers"] += 1
        except (AlreadyAnswered, Conflict, NotFound):
            self.counts["answers that were there already"] += 1

    def _follow(self, run_id: str) -> None:
        """A stream over as many connections as it takes."""
        seqs: list[int] = []
        while True:
            try:
                with connect(self._up) as client:
                    seqs += (event.seq for event in client.get_run(run_id).events(after=len(seqs)))
                break
            except (ServerUnreachable, Unavailable):
                self.counts["streams that were cut for long"] += 1
                time.sleep(0.2)
            except AoError as error:
                self._failure = error
                return
        self._followed[run_id] = seqs

    # --- what must hold ---------------------------------------------------------------------------

    def _check(self) -> None:
        assert len(self.accepted) == len(set(self.accepted.values())) == self._form.runs
        with connect(self._up) as client:
            memories = Memories()
            for task in self._tasks:
                self._check_run(client, self.accepted[task["number"]], task, memories)
            self.counts["steps that sessions remember"] = memories.check(client)
        ended = sum(self.counts[f"runs {state}"] for state in TERMINAL)
        self.counts["lost: runs"] = self._form.runs - ended
        assert ended == self._form.runs
        cuts = sum(self._witness.cuts.values())
        assert cuts >= max(1, self._form.cuts), (
            f"only {cuts} attempts were cut between an effect and its commit"
        )

    def _check_run(self, client: Client, run_id: str, task: Task, memories: Memories) -> None:
        """The promises for one run: one end, the right one, and no effect after its commit."""
        handle = client.get_run(run_id)
        run, events = handle.view, list(handle.events())
        self._check_end(run, task)
        self._check_events(run, events)
        heard = self._witness.heard[task["number"]]
        recorded = {step.path: step.attempt for step in handle.steps() if step.state == "completed"}
        for path, attempts in heard.effects.items():
            self._check_step(f"{run_id}: {path}", attempts, heard.commits.get(path), recorded.get(path))
        if task["session"]:
            is_whole = run.state is RunState.COMPLETED
            memories.add(task["session"], task["number"], recorded, set(heard.effects), completed=is_whole)
            self.counts["runs of sessions"] += 1
        self._check_once(run, heard)
        completed = Counter(str(e.data["path"]) for e in events if e.kind is EventKind.STEP_COMPLETED)
        assert all(count == 1 for path, count in completed.items() if path != "end"), f"{run_id}: {completed}"
        self.counts["attempts"] += run.attempt
        self.counts["events"] += len(events)

    def _check_end(self, run: RunView, task: Task) -> None:
        if run.state is RunState.CANCELLED:
            assert task["number"] in self._cancelled, f"{run.id}: cancelled by nobody"
        elif run.state is RunState.FAILED:
            assert run.error is not None
            expected = {"Permanent"} if task["hopeless"] else set()
            expected |= {"StepInDoubt"} if task["once"] else set()
            assert run.error.type in expected, f"{run.id}: {run.error}"
            self.counts["steps in doubt"] += run.error.type == "StepInDoubt"
        else:
            assert run.state is RunState.COMPLETED, f"{run.id}: {run.state}"
            total = sum(range(task["steps"])) + sum(range(task["parallel"])) + 1000
            total += (task["number"] if task["asks"] else 0) + (100 if task["once"] else 0)
            total += BONUS if task["assistant"] else 0
            assert run.output == {"number": task["number"], "total": total}, run.id
            assert (run.assistant, run.digest != run.artifact_digest) == (
                (ASSISTANT, True) if task["assistant"] else (STEPPER, False)
            ), run.id
        self.counts[f"runs {run.state}"] += 1

    def _check_events(self, run: RunView, events: list[EventView]) -> None:
        """Gap-free; each change of state begins where the one before it ended, and says why, when and who."""
        seqs = list(range(1, run.last_seq + 1))
        self.counts["lost: events"] += len(seqs) - len(events)
        assert [event.seq for event in events] == seqs, f"{run.id}: a gap"
        if run.id in self._followed:
            assert self._followed[run.id] == seqs, f"{run.id}: a gap in its stream"
            self.counts["streams"] += 1
        changes = [event for event in events if event.kind is EventKind.STATE]
        assert all(event.data["reason"] and event.data["actor"] for event in changes)
        assert all(before.data["to"] == after.data["from"] for before, after in pairwise(changes)), run.id
        ends = [event.seq for event in changes if event.data["to"] in TERMINAL]
        assert ends == [run.last_seq], f"{run.id}: ends at {ends} of {run.last_seq}"

    def _check_step(self, name: str, attempts: list[int], known: int | None, recorded: int | None) -> None:
        again = [attempt for attempt in attempts if known is not None and attempt > known]
        self.counts["twice: effects of a recorded step"] += len(again)
        assert not again, f"{name} was recorded in attempt {known} and executed again in {again}"
        assert recorded is None or max(attempts) == recorded, (
            f"{name} was executed after its commit: {attempts}"
        )
        assert known is None or recorded is not None, f"{name} was committed and is not recorded"
        self.counts["steps"] += 1
        self.counts["effects"] += len(attempts)

    def _check_once(self, run: RunView, heard: Heard) -> None:
        effects = heard.effects.get("once", [])
        self.counts["twice: effects of a step with once=True"] += len(effects[1:])
        assert len(effects) <= 1, f"{run.id}: a step that is done at most once was done in {effects}"


def _open_runs(client: Client) -> Iterator[Mapping[str, object]]:
    states = [RunState.PENDING, RunState.RUNNING, RunState.PAUSED]
    call = calls.list_runs(state=[str(state) for state in states], limit=1000)
    yield from client.send_json(call)["items"]
