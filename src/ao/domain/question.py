"""What an agent asks people, and the pause of its run until somebody has answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MAX_TEXT = 10_000
"""Characters of a question."""
MAX_JSON_BYTES = 64 * 1024
"""Of a schema, of details."""
MAX_QUESTIONS = 100
"""Of one pause."""


class QuestionKind(StrEnum):
    QUESTION = "question"
    APPROVAL = "approval"
    """Answered with yes or no."""


class QuestionState(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, as the agent asks it. It is a step of the run, whose result is the answer."""

    path: str
    parent: str | None
    name: str
    key: str | None
    kind: QuestionKind
    text: str
    fingerprint: str
    schema: str | None = None
    """JSON Schema of the answer, as JSON text."""
    details: str | None = None
    """What there is to know before answering, as JSON text."""
    timeout_seconds: float | None = None
    """After so long the run goes on without an answer."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why an attempt ended on purpose: for questions, or, without any, to sleep."""

    questions: Sequence[Asked] = ()
    wake_us: int | None = None
    """When a sleep ends."""
