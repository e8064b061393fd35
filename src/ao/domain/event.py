"""What happens in a run, as numbered events. A run's seq starts at 1, has no gaps and is never reused."""

from dataclasses import dataclass
from enum import StrEnum

Json = dict[str, object]


class EventKind(StrEnum):
    STATE = "state"
    """A transition. data: {from, to, reason, actor, error?, due_at?}; the last one of a run is terminal."""
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


@dataclass(frozen=True, slots=True)
class NewEvent:
    kind: EventKind
    at_us: int
    data: Json


@dataclass(frozen=True, slots=True)
class Event:
    seq: int
    kind: EventKind
    at_us: int
    data: Json
