"""What happened in a run, as the rows of its picture."""

from collections.abc import Mapping, Sequence

from ao.dashboard.waterfall import Row, Span
from ao.domain.outcome import OutcomeKind
from ao.domain.step import Step, StepKind, StepState
from ao.store.records import Attempt, Run

Children = Mapping[int, Sequence[Row]]
"""Rows below an attempt, by its number."""


def rows_of(run: Run, attempts: Sequence[Attempt], children: Children | None = None) -> list[Row]:
    """The rows of a run: an attempt each, after what it waited for, and below it its `children`."""
    rows: list[Row] = []
    free_us = run.created_us
    for attempt in attempts:
        rows.append(
            Row(
                f"Attempt {attempt.number}",
                [*_waiting(free_us, attempt.due_us, attempt.started_us), _work(run, attempt)],
                detail=attempt.sandbox,
                error=attempt.error.message if attempt.error else "",
            )
        )
        rows += (children or {}).get(attempt.number, ())
        free_us = attempt.finished_us or attempt.started_us
    if not run.head.state.terminal and (not attempts or attempts[-1].finished_us is not None):
        rows.append(Row(f"Attempt {len(attempts) + 1}", _waiting(free_us, run.due_us, None)))
    return rows or [Row("Never started", [Span("idle", run.created_us, run.finished_us, "waited")])]


def _waiting(free_us: int, due_us: int | None, started_us: int | None) -> list[Span]:
    """The delay after a failure, and the time in the queue."""
    spans = []
    if due_us is not None and due_us > free_us:
        spans.append(Span("delay", free_us, due_us, "delay before the retry"))
        free_us = due_us
    if started_us is None:
        return spans or [Span("queue", free_us, None, "in the queue")]
    if started_us > free_us:
        spans.append(Span("queue", free_us, started_us, "in the queue"))
    return spans


def _work(run: Run, attempt: Attempt) -> Span:
    if attempt.finished_us is None:
        if run.head.state.terminal:
            return Span("idle", attempt.started_us, run.finished_us, "unfinished")
        return Span("run", attempt.started_us, None, "running")
    if attempt.kind is OutcomeKind.COMPLETED:
        return Span("ok", attempt.started_us, attempt.finished_us, "completed")
    if attempt.kind in (None, OutcomeKind.LOST, OutcomeKind.CANCELLED, OutcomeKind.PAUSED):
        word = "handed back" if attempt.kind is None else str(attempt.kind)
        return Span("idle", attempt.started_us, attempt.finished_us, word)
    return Span("bad", attempt.started_us, attempt.finished_us, "failed")


def step_rows(run: Run, steps: Sequence[Step]) -> dict[int, list[Row]]:
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
        )
        rows.setdefault(step.attempt, []).append(row)
    return rows


def _step(run: Run, step: Step) -> Span:
    if step.kind in (StepKind.ASK, StepKind.SLEEP) and step.state is not StepState.FAILED:
        # Nothing is at work meanwhile, however long it takes.
        ended_us = step.finished_us or run.finished_us
        return Span("queue", step.started_us, ended_us, "answered" if ended_us else "waiting")
    if step.finished_us is not None:
        kind = "bad" if step.state is StepState.FAILED else "ok"
        return Span(kind, step.started_us, step.finished_us, str(step.state))
    if run.head.state.terminal or step.attempt < run.head.attempt:
        return Span("idle", step.started_us, step.started_us, "cut off")
    return Span("run", step.started_us, None, "running")
