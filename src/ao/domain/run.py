"""The life of a run: its states, and the only transitions between them.

State is changed in one way: a function below makes a `Transition`, and the store applies it with one
write that is guarded by the old state and the fence. `TABLE` is also the diagram in the docs.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from ao.domain.outcome import PERMANENT, AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.retry import RetryPolicy

MAX_LOSSES = 10
"""A run that takes its worker down this often is failed: it would do so for ever."""

MICROSECONDS = 1_000_000


class RunState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED})


class Reason(StrEnum):
    """Why a transition happened; stable words, shown to users and kept for ever."""

    CREATED = "created"
    CLAIMED = "claimed"
    COMPLETED = "completed"
    RETRY = "retry"
    LOST = "lost"
    HANDED_BACK = "handed_back"
    ASKED = "asked"
    ANSWERED = "answered"
    TIMED_OUT = "timed_out"
    SLEEPING = "sleeping"
    WOKE = "woke"
    PERMANENT_ERROR = "permanent_error"
    RETRIES_EXHAUSTED = "retries_exhausted"
    TOO_MANY_LOSSES = "too_many_losses"
    RUN_TIMEOUT = "run_timeout"
    QUEUE_TIMEOUT = "queue_timeout"
    CANCELLED = "cancelled"


TABLE: frozenset[tuple[RunState | None, RunState, Reason]] = frozenset(
    {
        (None, RunState.PENDING, Reason.CREATED),
        (RunState.PENDING, RunState.RUNNING, Reason.CLAIMED),
        (RunState.PENDING, RunState.CANCELLED, Reason.CANCELLED),
        (RunState.PENDING, RunState.CANCELLED, Reason.QUEUE_TIMEOUT),
        (RunState.RUNNING, RunState.COMPLETED, Reason.COMPLETED),
        (RunState.RUNNING, RunState.PENDING, Reason.RETRY),
        (RunState.RUNNING, RunState.PENDING, Reason.LOST),
        (RunState.RUNNING, RunState.PENDING, Reason.HANDED_BACK),
        (RunState.RUNNING, RunState.PAUSED, Reason.ASKED),
        (RunState.RUNNING, RunState.PENDING, Reason.ANSWERED),
        (RunState.RUNNING, RunState.PENDING, Reason.SLEEPING),
        (RunState.PAUSED, RunState.PENDING, Reason.ANSWERED),
        (RunState.PAUSED, RunState.PENDING, Reason.TIMED_OUT),
        (RunState.PAUSED, RunState.PENDING, Reason.WOKE),
        (RunState.PAUSED, RunState.CANCELLED, Reason.CANCELLED),
        (RunState.RUNNING, RunState.FAILED, Reason.PERMANENT_ERROR),
        (RunState.RUNNING, RunState.FAILED, Reason.RETRIES_EXHAUSTED),
        (RunState.RUNNING, RunState.FAILED, Reason.TOO_MANY_LOSSES),
        (RunState.RUNNING, RunState.FAILED, Reason.RUN_TIMEOUT),
        (RunState.RUNNING, RunState.CANCELLED, Reason.CANCELLED),
    }
)


@dataclass(frozen=True, slots=True)
class RunHead:
    """The mutable part of a run, as one narrow row."""

    state: RunState
    fence: int
    """Rises by one with every claim; every write of a worker carries it."""
    attempt: int
    """Tries so far, the present one included; 0 before the first claim."""
    failures: int
    """Attempts that the agent failed; what `max_retries` counts against."""
    losses: int
    """Attempts that ended because the worker went away."""
    cancel_requested: bool
    active_us: int
    """Microseconds of finished attempts; what `run_timeout` counts."""
    attempt_started_us: int | None


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a run's life, ready to be written."""

    frm: RunState | None
    to: RunState
    reason: Reason
    at_us: int
    actor: str
    """Who caused it: `key:<name>`, `worker:<id>`, `schedule:<id>` or `system`."""
    due_us: int | None = None
    """For `pending`: not claimable before this instant; None means at once. For `paused`: when it goes on even
    without an answer; None means never."""
    error: ErrorInfo | None = None
    output: str | None = None
    """For `completed`: the result as JSON text."""
    failed_attempt: bool = False
    lost_attempt: bool = False

    def __post_init__(self) -> None:
        if (self.frm, self.to, self.reason) not in TABLE:
            raise ValueError(f"no such transition: {self.frm} -> {self.to} ({self.reason})")


def create(now_us: int, actor: str) -> Transition:
    return Transition(None, RunState.PENDING, Reason.CREATED, now_us, actor)


def claim(now_us: int, worker: str) -> Transition:
    return Transition(RunState.PENDING, RunState.RUNNING, Reason.CLAIMED, now_us, worker)


def cancel_waiting(state: RunState, now_us: int, actor: str) -> Transition:
    """Of a run that is pending or paused: no worker has to be asked."""
    words = (
        "cancelled while it waited for an answer" if state is RunState.PAUSED else "cancelled before it started"
    )
    error = ErrorInfo(OutcomeKind.CANCELLED, words)
    return Transition(state, RunState.CANCELLED, Reason.CANCELLED, now_us, actor, error=error)


def expire(now_us: int) -> Transition:
    """Of a run that no worker has taken in time."""
    error = ErrorInfo(
        OutcomeKind.CANCELLED,
        "no worker took it within its queue_timeout",
        hint="raise `queue_timeout` in ao.toml, or add slots; `ao runs --state pending` lists what waits",
    )
    return Transition(RunState.PENDING, RunState.CANCELLED, Reason.QUEUE_TIMEOUT, now_us, "system", error=error)


def ask(now_us: int, actor: str, due_us: int | None) -> Transition:
    """The agent waits for answers, until `due_us` at the latest."""
    return Transition(RunState.RUNNING, RunState.PAUSED, Reason.ASKED, now_us, actor, due_us=due_us)


def sleep(now_us: int, actor: str, wake_us: int) -> Transition:
    return Transition(RunState.RUNNING, RunState.PENDING, Reason.SLEEPING, now_us, actor, due_us=wake_us)


def resume(state: RunState, reason: Reason, now_us: int, actor: str) -> Transition:
    """What a run was paused for has come. It is `running` when that came before its pause was written."""
    return Transition(state, RunState.PENDING, reason, now_us, actor)


def after_attempt(
    head: RunHead, outcome: AttemptOutcome, policy: RetryPolicy, now_us: int, actor: str, random: float
) -> Transition:
    """What follows the end of an attempt.

    A cancel that was asked for wins over a retry but not over a result: work that is done is kept.
    `random` in [0, 1) spreads the delay.
    """
    if outcome.kind is OutcomeKind.COMPLETED:
        return Transition(
            RunState.RUNNING, RunState.COMPLETED, Reason.COMPLETED, now_us, actor, output=outcome.output
        )
    if outcome.pause is not None and not head.cancel_requested:
        raise ValueError("a pause is decided where its questions are known: see `ask` and `sleep`")
    error = outcome.error or ErrorInfo(outcome.kind, str(outcome.kind))
    if outcome.kind is OutcomeKind.PAUSED:
        error = ErrorInfo(OutcomeKind.CANCELLED, "cancelled while it was running")
    if outcome.kind is OutcomeKind.CANCELLED or head.cancel_requested:
        return Transition(RunState.RUNNING, RunState.CANCELLED, Reason.CANCELLED, now_us, actor, error=error)
    if outcome.kind is OutcomeKind.LOST:
        return _after_loss(head, error, now_us, actor)
    failures = head.failures + 1
    if outcome.kind is OutcomeKind.RUN_TIMEOUT:
        reason = Reason.RUN_TIMEOUT
    elif outcome.permanent or outcome.kind in PERMANENT:
        reason = Reason.PERMANENT_ERROR
    elif rule := policy.forbids(outcome.kind, error.exit_code, error.signal):
        reason = Reason.PERMANENT_ERROR
        error = replace(error, hint=error.hint or f"not tried again: `[retries] permanent` has {rule}")
    elif failures > policy.max_retries:
        reason = Reason.RETRIES_EXHAUSTED
    else:
        delay = outcome.retry_after_seconds
        if delay is None:
            delay = policy.delay_seconds(failures, random)
        return Transition(
            RunState.RUNNING,
            RunState.PENDING,
            Reason.RETRY,
            now_us,
            actor,
            due_us=now_us + int(delay * MICROSECONDS),
            error=error,
            failed_attempt=True,
        )
    return Transition(
        RunState.RUNNING, RunState.FAILED, reason, now_us, actor, error=error, failed_attempt=True
    )


def hand_back(now_us: int, actor: str) -> Transition:
    """A worker that shuts down returns a run it could not finish; nobody is to blame."""
    return Transition(RunState.RUNNING, RunState.PENDING, Reason.HANDED_BACK, now_us, actor)


def _after_loss(head: RunHead, error: ErrorInfo, now_us: int, actor: str) -> Transition:
    lost = head.losses + 1
    to, reason = (
        (RunState.FAILED, Reason.TOO_MANY_LOSSES) if lost >= MAX_LOSSES else (RunState.PENDING, Reason.LOST)
    )
    return Transition(RunState.RUNNING, to, reason, now_us, actor, error=error, lost_attempt=True)
