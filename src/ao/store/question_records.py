"""Questions as they go into the store and come out of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.domain.question import QuestionKind, QuestionState
from ao.domain.run import RunState
from ao.ids import QuestionId, RunId
from ao.store.records import Payload


@dataclass(frozen=True, slots=True)
class Question:
    """What a run asks, or asked, people."""

    id: QuestionId
    run_id: RunId
    agent: str
    run_state: RunState
    path: str
    """Of the step whose result is the answer."""
    kind: QuestionKind
    state: QuestionState
    text: str
    schema: str | None
    """JSON text, as `details`."""
    details: str | None
    asked_us: int
    deadline_us: int | None
    ended_us: int | None
    actor: str | None
    """Who answered."""
    comment: str | None
    answer: Payload | None
    """Of an answered one, the step's result: {answer, by, at, comment}."""

    @property
    def answerable(self) -> bool:
        return self.state is QuestionState.OPEN and not self.run_state.terminal


@dataclass(frozen=True, slots=True)
class QuestionFilter:
    agents: Sequence[str] = ()
    """Empty: of all."""
    run_id: RunId | None = None
    open_only: bool = True
    ended_only: bool = False
    """Only what nobody can answer any more. Not together with `open_only`."""
    before: QuestionId | None = None
    """Keyset cursor: only those asked before this one."""
    after: QuestionId | None = None
    """Keyset cursor: only those asked after this one, and the oldest first."""


@dataclass(frozen=True, slots=True)
class NewAnswer:
    question_id: QuestionId
    value: Payload
    """The step's result: {answer, by, at, comment}."""
    actor: str
    comment: str
    approved: bool | None = None
    """Of an approval."""
