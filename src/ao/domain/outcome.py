"""How one attempt ended, told apart in words."""

from dataclasses import dataclass
from enum import StrEnum

from ao.domain.question import Pause


class OutcomeKind(StrEnum):
    COMPLETED = "completed"
    """The entrypoint returned, or the command exited with 0."""
    ERROR = "error"
    """The agent's code raised an exception."""
    EXIT = "exit"
    """The process exited with a status other than 0."""
    SIGNAL = "signal"
    """The process was ended by a signal that AO did not send."""
    OUT_OF_MEMORY = "out_of_memory"
    LIMIT = "limit"
    """Another limit was hit: processes, disk, output size."""
    TIMEOUT = "timeout"
    """`timeout`: this attempt took too long. Retried."""
    RUN_TIMEOUT = "run_timeout"
    """`run_timeout`: the whole run took too long. Final."""
    CANCELLED = "cancelled"
    LOST = "lost"
    """The worker, its supervisor or the machine went away; the agent is not to blame."""
    PAUSED = "paused"
    """The agent waits for an answer or sleeps; meanwhile it has no process."""
    SANDBOX = "sandbox"
    """The sandbox could not be made."""


PERMANENT = frozenset({OutcomeKind.RUN_TIMEOUT, OutcomeKind.CANCELLED})
"""Kinds that no retry policy retries."""


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What is kept of a failure, and what the next attempt sees as `AO_LAST_ERROR` (`message`)."""

    kind: OutcomeKind
    message: str
    """One line that a person understands, such as `ValueError: no such file`."""
    type: str = ""
    """The exception's class name, for `error`."""
    traceback: str = ""
    hint: str = ""
    exit_code: int | None = None
    signal: str | None = None
    """Signal name, such as `SIGSEGV`."""
    step: str = ""
    """Path of the step that failed, for an error inside one."""


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The classified end of one attempt; `error` is None exactly when the kind is `completed` or `paused`."""

    kind: OutcomeKind
    output: str | None = None
    """The result as JSON text; None when there was none."""
    error: ErrorInfo | None = None
    permanent: bool = False
    """The agent said that trying again is pointless."""
    retry_after_seconds: float | None = None
    """The agent asked for this delay instead of the policy's."""
    exit_code: int | None = None
    max_rss_bytes: int | None = None
    """Largest resident memory seen for the whole process tree, sampled."""
    cpu_seconds: float | None = None
    pause: Pause | None = None
    """For `paused`."""
    sandbox: str = ""
    """The isolation level that held this attempt: `namespaces`, `landlock` or `degraded`."""
