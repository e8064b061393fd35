"""What happens in a run, as numbered events. A run's seq starts at 1, has no gaps and is never reused."""

from dataclasses import dataclass
from enum import StrEnum

from ao.domain.session import SessionWrite
from ao.domain.step import Step

Json = dict[str, object]


class EventKind(StrEnum):
    STATE = "state"
    """A transition. data: {from, to, reason, actor, error?, due_at?}; the last one of a run is terminal."""
    CANCEL_REQUESTED = "cancel_requested"
    """data: {actor}. Somebody cancels a run that is running: its worker stops it."""
    ATTEMPT_STARTED = "attempt_started"
    """data: {attempt, version, sandbox, degraded (list of what is not enforced), namespaces (type → inode)}.
    Clients drop the partial outputs of earlier attempts here."""
    ATTEMPT_FINISHED = "attempt_finished"
    """data: {attempt, kind, duration_us, error?, exit_code?, max_rss_bytes?, cpu_seconds?}."""
    LOG = "log"
    """data: {attempt, stream: "stdout" | "stderr", lines: [[at_us, text] | [at_us, text, mark], …]}.
    mark: "partial" (no newline came), "cut" (text was shortened), "dropped" (text says how much was)."""
    OUTPUT = "output"
    """A partial output. data: {attempt, value}."""
    STEP_STARTED = "step_started"
    """data: {attempt, path, parent, name, key, kind}. A step that answers from its record has no events."""
    STEP_COMPLETED = "step_completed"
    """data: {attempt, path, kind, duration_us}. Its result is durable."""
    STEP_FAILED = "step_failed"
    """data: {attempt, path, kind, duration_us, error}."""
    STEP_RETRIED = "step_retried"
    """data: {attempt, path, try (the one that failed, from 1), delay_seconds, error}. The step's own retry,
    within the attempt."""

    QUESTION_ASKED = "question_asked"
    """data: {attempt, question, path, kind, text, schema?, details?, deadline_at?}. The run pauses."""
    QUESTION_ANSWERED = "question_answered"
    """data: {question, path, by, comment?, approved? (of an approval)}. The answer is the step's result."""
    QUESTION_TIMED_OUT = "question_timed_out"
    """data: {question, path}. The run goes on without an answer."""

    TRUNCATED = "truncated"
    """In place of events that were removed by age, up to this seq; never stored. data: {from (first seq)}."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    kind: EventKind
    at_us: int
    data: Json
    step: Step | None = None
    """For events of steps: the step's record from now on, written together with the event."""
    session: SessionWrite | None = None
    """For the end of a step that wrote to the run's session: committed together with it."""


@dataclass(frozen=True, slots=True)
class Event:
    seq: int
    kind: EventKind
    at_us: int
    data: Json
