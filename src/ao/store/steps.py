"""What runs have recorded, and what they ask people. See `ao.store` for what every method promises."""

from collections.abc import Sequence
from typing import Protocol

from ao.domain.step import Step
from ao.ids import QuestionId, RunId
from ao.store.audit import NewAudit
from ao.store.question_records import NewAnswer, Question, QuestionFilter


class StepStore(Protocol):
    """Steps are written with their events (`RunStore.append`)."""

    async def list(self, run_id: RunId, limit: int, offset: int = 0) -> Sequence[Step]:
        """Steps and spans in the order in which they were first begun, so that parents come first."""
        ...

    async def outline(self, run_id: RunId, limit: int, offset: int = 0) -> Sequence[Step]:
        """As `list`, but without results and errors."""
        ...

    async def recorded(self, run_id: RunId, limit: int) -> Sequence[Step]:
        """Those that bind a next execution (`Step.binding`), in the same order."""
        ...

    async def get(self, run_id: RunId, path: str) -> Step | None: ...


class QuestionStore(Protocol):
    """Questions are asked by the end of an attempt (`RunStore.finish` with a pause)."""

    async def list(self, where: QuestionFilter, limit: int) -> Sequence[Question]:
        """Newest first; with `where.after` the oldest first."""
        ...

    async def get(self, question_id: QuestionId) -> Question:
        """The question, or `NotFound`."""
        ...

    async def answer(self, answer: NewAnswer, audit: NewAudit | None = None) -> Question:
        """Answer an open question: its step is completed and its run, if paused, claimable, in one write.
        `AlreadyAnswered` when it is no longer open or its run has ended."""
        ...
