"""What there is to say of a run first, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.dashboard.formats import duration, plural, told
from ao.domain.run import RunState
from ao.domain.tracebacks import place_of
from ao.store.records import Attempt, Run


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    since_us: int | None = None
    """Start of what goes on: the page writes how long after the text."""
    more: str = ""
    """After the duration."""


def sentence(run: Run, attempts: Sequence[Attempt], why_pending: str | None) -> Sentence:
    """Such as `Failed after 3 attempts, 12 s: KeyError: 'q' in agent.py:14`."""
    state = run.head.state
    if state is RunState.PENDING:
        last = f"; {_last_error(attempts)}" if attempts and attempts[-1].error else ""
        return Sentence(f"Waiting: {why_pending or 'for a worker'}{last}")
    if state is RunState.PAUSED:
        return Sentence("Paused: it waits for an answer, and needs no worker meanwhile")
    if state is RunState.RUNNING:
        stopping = ", being stopped" if run.head.cancel_requested else ""
        number = run.head.attempt
        retry = f", attempt {number} after {_last_error(attempts[:-1])}" if number > 1 else ""
        return Sentence("Running for", run.started_us, f"{retry}{stopping}")
    took = duration((run.finished_us or run.created_us) - (run.started_us or run.created_us))
    if state is RunState.COMPLETED:
        tries = f", on attempt {run.head.attempt}" if run.head.attempt > 1 else ""
        return Sentence(f"Completed in {took}{tries}")
    said = _said(run.error.message, run.error.traceback) if run.error else "for no known reason"
    if state is RunState.CANCELLED:
        return Sentence("Cancelled before it started" if run.started_us is None else f"Cancelled after {took}")
    return Sentence(f"Failed after {plural(run.head.attempt, 'attempt')}, {took}: {said}")


def _last_error(attempts: Sequence[Attempt]) -> str:
    error = attempts[-1].error if attempts else None
    return _said(error.message, error.traceback) if error else "a lost worker"


def _said(message: str, traceback: str) -> str:
    place = place_of(traceback)
    first = told(message.partition("\n")[0], 200)
    return f"{first} in {place}" if place else first
