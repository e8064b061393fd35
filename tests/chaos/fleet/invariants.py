"""What must hold after everything that was done to a fleet: for each promise, how often it was broken."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.fleet.faults import Death
from tests.chaos.fleet.load import Load, Task, expected_total
from tests.chaos.fleet.services import Postgres
from tests.chaos.fleet.witness import Heard

TERMINAL = {"completed", "failed", "cancelled"}
CLOCK_SECONDS = 0.25
"""So exactly a worker knows the clock of the database."""
LATE = "effects after a lease had ended"
PROMISES = (
    "lost runs",
    "runs accepted twice",
    "wrong results",
    "duplicate results",
    "double-accepted steps",
    "steps executed again after their commit",
    "steps known as committed and not recorded",
    "event logs with a gap",
    "states that do not follow from each other",
    "writes of an earlier attempt after a later one",
    "streams with a gap or a repeat",
    LATE,
    "sleeps that ended early",
)


@dataclass
class _Run:
    state: str
    next_seq: int
    output: object
    seqs: list[int] = field(default_factory=list)
    states: list[tuple[int, str, str]] = field(default_factory=list)
    """Instant, from, to."""
    attempts: list[int] = field(default_factory=list)
    """As the events name them, in order."""
    completed: Counter[str] = field(default_factory=Counter)
    """Path → how often its step was accepted as completed."""
    workers: dict[int, str] = field(default_factory=dict)
    """Attempt → worker."""
    steps: dict[str, int] = field(default_factory=dict)
    """Path → the attempt that recorded it."""


class Ledger:
    """Everything the database says, read once at the end."""

    def __init__(self, postgres: Postgres) -> None:
        self.runs: dict[str, _Run] = {}
        with postgres.look() as connection:
            for run_id, state, next_seq, output in connection.execute(_RUNS):
                parsed = None if output is None else json.loads(str(output))
                self.runs[str(run_id)] = _Run(str(state), int(str(next_seq)), parsed)
            for run_id, seq, kind, at_us, data in connection.execute(_EVENTS):
                self._event(
                    self.runs[str(run_id)], int(str(seq)), str(kind), int(str(at_us)), json.loads(str(data))
                )
            for run_id, number, worker_id in connection.execute(_ATTEMPTS):
                self.runs[str(run_id)].workers[int(str(number))] = str(worker_id)
            for run_id, path, attempt in connection.execute(_STEPS):
                self.runs[str(run_id)].steps[str(path)] = int(str(attempt))

    def _event(self, run: _Run, seq: int, kind: str, at_us: int, data: Mapping[str, object]) -> None:
        run.seqs.append(seq)
        if kind == "state":
            run.states.append((at_us, str(data["from"]), str(data["to"])))
        if kind == "step_completed":
            run.completed[str(data["path"])] += 1
        if isinstance(attempt := data.get("attempt"), int):
            run.attempts.append(attempt)


def broken(
    ledger: Ledger, load: Load, heard: Mapping[int, Heard], leases: Mapping[str, int]
) -> tuple[Counter[str], list[str]]:
    """How often each promise was broken, and a line about each time."""
    told = [("runs accepted twice", extra) for extra in ledger.runs.keys() - load.accepted.values()]
    for task in load.tasks:
        run_id = load.accepted.get(task["number"], "")
        run = ledger.runs.get(run_id)
        if run is None or run.state not in TERMINAL:
            told.append(("lost runs", f"{run_id}: {run and run.state}"))
            continue
        about = heard.get(task["number"], Heard())
        wrong = [*_result(run, task), *_log(run), *_steps(run, about), *_stream(run, load.followed.get(run_id))]
        wrong += [*_late(run, about, leases), *_early(about, task)]
        told += [(promise, f"{run_id} (task {task['number']}): {what}") for promise, what in wrong]
    counts = Counter(dict.fromkeys(PROMISES, 0))
    counts.update(promise for promise, _ in told)
    return counts, [f"{promise}: {what}" for promise, what in told]


def _result(run: _Run, task: Task) -> list[tuple[str, str]]:
    wrong = []
    if run.state != "completed" or run.output != {"number": task["number"], "total": expected_total(task)}:
        wrong.append(("wrong results", f"{run.state} {run.output}"))
    ends = [to for _, _, to in run.states if to in TERMINAL]
    if len(ends) > 1:
        wrong.append(("duplicate results", str(ends)))
    return wrong


def _log(run: _Run) -> list[tuple[str, str]]:
    wrong = []
    if run.seqs != list(range(1, run.next_seq)):
        wrong.append(("event logs with a gap", f"{run.seqs} up to {run.next_seq}"))
    changes = run.states
    if any(before[2] != after[1] for before, after in pairwise(changes)):
        wrong.append(("states that do not follow from each other", str(changes)))
    if run.attempts != sorted(run.attempts):
        wrong.append(("writes of an earlier attempt after a later one", str(run.attempts)))
    return wrong


def _steps(run: _Run, heard: Heard) -> list[tuple[str, str]]:
    wrong = [
        ("double-accepted steps", f"{path}: {count} times")
        for path, count in run.completed.items()
        if count > 1
    ]
    executed: dict[str, list[int]] = defaultdict(list)
    for path, attempt, _ in heard.effects:
        executed[path].append(attempt)
    for path, known in heard.commits.items():
        recorded = run.steps.get(path)
        if recorded is None:
            wrong.append(("steps known as committed and not recorded", path))
        if max(executed[path]) > min(known, recorded or known):
            what = f"{path}: in attempts {executed[path]}, known in {known}, recorded in {recorded}"
            wrong.append(("steps executed again after their commit", what))
    return wrong


def _stream(run: _Run, seqs: list[int] | None) -> list[tuple[str, str]]:
    if seqs is None or seqs == run.seqs:
        return []
    return [("streams with a gap or a repeat", f"{seqs} instead of {run.seqs}")]


def _late(run: _Run, heard: Heard, leases: Mapping[str, int]) -> list[tuple[str, str]]:
    """The lease of an attempt is its worker's; it is over, too, when the next attempt is there."""
    wrong, latest = [], 0
    for path, attempt, at_us in heard.effects:
        late = (at_us - leases[run.workers[attempt]]) / 1000
        if late > 0 or attempt < latest:
            what = f"{path} in attempt {attempt} of {latest}, {late:.1f} ms late"
            wrong.append((LATE, what))
        latest = max(latest, attempt)
    return wrong


def _early(heard: Heard, task: Task) -> list[tuple[str, str]]:
    """Sleepers have one effect after their sleep."""
    before = [at_us for path, _, at_us in heard.effects if path != "last"]
    after = [at_us for path, _, at_us in heard.effects if path == "last"]
    slept = (min(after) - min(before)) / 1e6 if before and after else task["sleeps"]
    early = slept < task["sleeps"] - CLOCK_SECONDS
    return [("sleeps that ended early", f"after {slept:.3f} s")] if early else []


def recoveries(ledger: Ledger, deaths: Sequence[Death]) -> list[float]:
    """Seconds from the death of a worker until each of its runs was executed elsewhere, or had ended."""
    seconds = []
    for death in deaths:
        for run_id in death.runs:
            again = [
                at_us
                for at_us, _, to in ledger.runs[run_id].states
                if at_us > death.at_us and (to == "running" or to in TERMINAL)
            ]
            if again:
                seconds.append((min(again) - death.at_us) / 1e6)
    return seconds


_RUNS = """
SELECT h.run_id, h.state, h.next_seq, o.output
FROM run_head h LEFT JOIN run_outcome o ON o.run_id = h.run_id"""
_EVENTS = "SELECT run_id, seq, kind, at_us, data FROM run_event ORDER BY run_id, seq"
_ATTEMPTS = "SELECT run_id, number, worker_id FROM run_attempt"
_STEPS = "SELECT run_id, path, attempt FROM run_step WHERE state = 'completed'"
