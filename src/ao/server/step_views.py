"""Steps and questions as the API shows them."""

import json

from pydantic import JsonValue

from ao.clock import to_datetime
from ao.domain.step import Step
from ao.server.views import error_view, moment
from ao.store.question_records import Question
from ao.wire import steps as s


def step_view(step: Step, output: JsonValue = None) -> s.StepView:
    return s.StepView.model_construct(
        path=step.path,
        parent=step.parent,
        name=step.name,
        key=step.key,
        kind=step.kind,
        state=step.state,
        attempt=step.attempt,
        started_at=to_datetime(step.started_us),
        finished_at=moment(step.finished_us),
        error=error_view(step.error),
        output=output,
    )


def question_view(question: Question, answer: JsonValue) -> s.QuestionView:
    return s.QuestionView.model_construct(
        id=question.id,
        run_id=question.run_id,
        agent=question.agent,
        path=question.path,
        kind=question.kind,
        state=question.state,
        answerable=question.answerable,
        text=question.text,
        answer_schema=None if question.schema is None else json.loads(question.schema),
        details=None if question.details is None else json.loads(question.details),
        asked_at=to_datetime(question.asked_us),
        deadline_at=moment(question.deadline_us),
        ended_at=moment(question.ended_us),
        actor=question.actor,
        comment=question.comment,
        answer=answer,
    )
