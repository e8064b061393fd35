"""What happened in a run, as the rows of its picture."""

import json
from collections.abc import Sequence

from ao.dashboard.waterfall import Row, Span
from ao.domain.outcome import OutcomeKind
from ao.domain.run import RunState
from ao.domain.step import Step, StepKind, StepState
from ao.store.records import Attempt, Run

_OF_NONE = 0
"""Attempt of the steps that a run has recorded from the start, taken over from another run."""


def rows_of(run: Run, attempts: Sequence[Attempt], steps: Sequence[Step] = ()) -> list[Row]:
    """The rows of a run: an attempt each, after what it waited for, and below it the steps that it executed."""
    below = _step_rows(run, steps)
    rows: list[Row] = _taken_over(run, below.get(_OF_NONE, ()))
    before: Attempt | None = None
    for attempt in attempts:
        rows.append(
            Row(
                f"Attempt {attempt.number}",
                [*_waiting(run, before, attempt.due_us, attempt.started_us, steps), _work(run, attempt)],
                detail=_recorded(attempt, steps),
                error=attempt.error.message if attempt.error else "",
            )
        )
        rows += below.get(attempt.number, ())
        before = attempt
    if not run.head.state.terminal and (before is None or before.finished_us is not None):
        rows.append(Row(f"Attempt {len(attempts) + 1}", _waiting(run, before, run.due_us, None, steps)))
    return rows or [Row("Never started", [Span("idle", run.created_us, run.finished_us, "waited")])]


def _taken_over(run: Run, rows: Sequence[Row]) -> list[Row]:
    """What another run has recorded, and this one does not do again."""
    if not rows:
        return []
    begin = Span("kept", run.created_us, run.created_us, "taken over, not done again")
    return [Row("Taken over", [begin], note="recorded"), *rows]


def _recorded(attempt: Attempt, steps: Sequence[Step]) -> str:
    """How many steps an attempt could answer from records of attempts before."""
    kept = sum(
        step.completed and step.kind is not StepKind.SPAN and step.attempt < attempt.number for step in steps
    )
    return f"{kept} recorded" if kept else ""


def _waiting(
    run: Run, before: Attempt | None, due_us: int | None, started_us: int | None, steps: Sequence[Step]
) -> list[Span]:
    """From the end of the attempt before: a delay, a sleep or a question, then the time in the queue."""
    free_us = run.created_us if before is None else before.finished_us or before.started_us
    spans = []
    if started_us is None and run.head.state is RunState.PAUSED:
        return [Span("pause", free_us, None, "waits for an answer")]
    paused = before is not None and before.kind is OutcomeKind.PAUSED
    end_us = due_us or (_answered_us(free_us, started_us, steps) if paused else None)
    if end_us is not None and end_us > free_us:
        kind, label = ("pause", "paused") if paused else ("delay", "delay before the retry")
        spans.append(Span(kind, free_us, end_us, label))
        free_us = end_us
    if started_us is None:
        return spans or [Span("queue", free_us, None, "in the queue")]
    if started_us > free_us:
        spans.append(Span("queue", free_us, started_us, "in the queue"))
    return spans


def _answered_us(since_us: int, until_us: int | None, steps: Sequence[Step]) -> int | None:
    """When what a run had asked was answered."""
    ends = [step.finished_us for step in steps if step.kind is StepKind.ASK and step.finished_us is not None]
    return max((end for end in ends if end >= since_us and (until_us is None or end <= until_us)), default=None)


def _work(run: Run, attempt: Attempt) -> Span:
    if attempt.finished_us is None:
        if run.head.state.terminal:
            return Span("idle", attempt.started_us, run.finished_us, "unfinished")
        return Span("run", attempt.started_us, None, "running")
    if attempt.kind is OutcomeKind.COMPLETED:
        return Span("ok", attempt.started_us, attempt.finished_us, "completed")
    if attempt.kind is OutcomeKind.PAUSED:
        return Span("ok", attempt.started_us, attempt.finished_us, "worked, then paused")
    if attempt.kind in (None, OutcomeKind.LOST, OutcomeKind.CANCELLED):
        word = "handed back" if attempt.kind is None else str(attempt.kind)
        return Span("idle", attempt.started_us, attempt.finished_us, word)
    return Span("bad", attempt.started_us, attempt.finished_us, "failed")


def _step_rows(run: Run, steps: Sequence[Step]) -> dict[int, list[Row]]:
    """Steps and spans as rows, by the attempt that executed them last."""
    rows: dict[int, list[Row]] = {}
    depths: dict[tuple[int, str], int] = {}
    for step in steps:
        # A span is executed by every attempt, the recorded steps in it are not: they may be apart.
        depth = depths.get((step.attempt, step.parent or ""), 0) + 1
        depths[step.attempt, step.path] = depth
        row = Row(
            step.name if step.key is None else f"{step.name} [{step.key}]",
            [_step(run, step)],
            depth=depth,
            detail="" if step.kind is StepKind.STEP else str(step.kind),
            error=step.error.message if step.error else "",
            note="recorded" if step.attempt == _OF_NONE else "",
            path="" if step.kind is StepKind.SPAN else step.path,
        )
        rows.setdefault(step.attempt, []).append(row)
    return rows


def _step(run: Run, step: Step) -> Span:
    if step.attempt == _OF_NONE:
        return Span("kept", run.created_us, run.created_us, "recorded by an earlier run")
    if step.kind in (StepKind.ASK, StepKind.SLEEP) and step.state is not StepState.FAILED:
        # Nothing is at work meanwhile, however long it takes.
        ended_us = step.finished_us or run.finished_us
        return Span("pause", step.started_us, ended_us, _waited(step))
    if step.finished_us is not None:
        kind = "bad" if step.state is StepState.FAILED else "ok"
        return Span(kind, step.started_us, step.finished_us, str(step.state))
    if run.head.state.terminal or step.attempt < run.head.attempt:
        return Span("idle", step.started_us, step.started_us, "cut off")
    return Span("run", step.started_us, None, "running")


def _waited(step: Step) -> str:
    if step.kind is StepKind.SLEEP:
        return "slept" if step.completed else "sleeps"
    if not step.completed:
        return "waits for an answer"
    result = json.loads(step.value) if step.value else None
    return "nobody answered in time" if isinstance(result, dict) and result.get("timed_out") else "answered"
