"""Steps: the parts of a run that are recorded, so that no later execution of the run does them again."""

from dataclasses import dataclass
from enum import StrEnum

from ao.domain.outcome import ErrorInfo
from ao.ids import Digest

MAX_PATH_BYTES = 1_000
"""Of a step's path, as UTF-8: it is a key of the database."""


class StepKind(StrEnum):
    STEP = "step"
    SPAN = "span"
    """Only traced: it has a time and children, but no result, and is executed every time."""
    ASK = "ask"
    SLEEP = "sleep"


class StepState(StrEnum):
    STARTED = "started"
    """Being executed, or cut off before its result was committed."""
    WAITING = "waiting"
    """A question without an answer."""
    COMPLETED = "completed"
    FAILED = "failed"
    """Executed again when the run is, unless it is done at most once."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is recorded of one step. A completed one never changes again."""

    path: str
    """Which step of the run it is, in every execution: the parent's path and `/`, then the name, then
    `[key]`, or from the second without a key on `#occurrence`."""
    parent: str | None
    """The parent's path."""
    name: str
    key: str | None
    kind: StepKind
    state: StepState
    attempt: int
    """The last that executed it."""
    started_us: int
    """Of its last execution."""
    finished_us: int | None = None
    fingerprint: str = ""
    """Of the input. An execution with another one has diverged."""
    once: bool = False
    """Cut off after its start, or raised, it is in doubt, and not executed again."""
    value: str | None = None
    """For `completed`: the result as JSON text, unless it is a blob."""
    value_blob: Digest | None = None
    error: ErrorInfo | None = None
    """For `failed`."""

    @property
    def completed(self) -> bool:
        return self.state is StepState.COMPLETED

    @property
    def binding(self) -> bool:
        """Whether a next execution must not just do it: it is done, or it is in doubt."""
        return self.kind is not StepKind.SPAN and (self.completed or self.once)
