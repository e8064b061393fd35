"""Bodies of the REST API about steps, and what runs ask people."""

from datetime import datetime

from pydantic import Field, JsonValue

from ao.domain.question import QuestionKind, QuestionState
from ao.domain.step import StepKind, StepState
from ao.wire.schemas import ErrorView, Request, Response, Text


class StepView(Response):
    """A step or span of a run; `parent` is the path of the one it is inside of."""

    path: str = Field(description="Which step it is, in every execution of the run.")
    parent: str | None
    name: str
    key: str | None
    kind: StepKind
    state: StepState
    attempt: int = Field(description="The last that executed it.")
    started_at: datetime
    finished_at: datetime | None
    error: ErrorView | None
    output: JsonValue = Field(None, description="Its result, when results were asked for.")


class QuestionView(Response):
    """What a run asks people. Its answer is the result of the step with the same path."""

    id: str
    run_id: str
    agent: str
    path: str
    kind: QuestionKind
    state: QuestionState
    answerable: bool = Field(description="Open, and its run has not ended.")
    text: str
    answer_schema: dict[str, JsonValue] | bool | None = Field(description="JSON Schema of the answer.")
    details: JsonValue
    asked_at: datetime
    deadline_at: datetime | None
    ended_at: datetime | None
    actor: str | None = Field(description="Who answered.")
    comment: str | None
    answer: JsonValue


class AnswerRequest(Request):
    """`answer` for a question, `approved` for an approval."""

    question: str | None = Field(
        None, max_length=100, description="Its id; null is the only one that the run asks."
    )
    answer: JsonValue = None
    approved: bool | None = None
    comment: Text = Field("", max_length=4000)
