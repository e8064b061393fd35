"""What agents ask people, and their answers."""

from pydantic import Field

from ao.ids import QuestionId, RunId
from ao.server.operations.pages import ID_LENGTH, cut, id_before
from ao.server.roles import Caller
from ao.server.routes.parameters import AgentFilter, Cursor, Limit
from ao.server.services import Services
from ao.server.step_views import question_view
from ao.store.question_records import Question, QuestionFilter
from ao.wire.schemas import Page, Request
from ao.wire.steps import AnswerRequest, QuestionView


class QuestionsQuery(Request):
    agent: AgentFilter = None
    run: str | None = Field(None, max_length=ID_LENGTH, description="Only this run's.")
    all: bool = Field(False, description="Also those that are answered or out of time.")
    limit: Limit = 50
    cursor: Cursor = None


class QuestionOperations:
    def __init__(self, services: Services) -> None:
        self._questions = services.questions

    async def list(self, caller: Caller, query: QuestionsQuery) -> Page[QuestionView]:
        before = id_before(query.cursor)
        where = QuestionFilter(
            agents=[query.agent] if query.agent else caller.scope,
            run_id=RunId(query.run) if query.run else None,
            open_only=not query.all,
            before=QuestionId(before) if before else None,
        )
        asked = await self._questions.list(where, query.limit + 1)
        found, more = cut(asked, query.limit, lambda question: question.id)
        items = [await self._view(question) for question in found]
        return Page[QuestionView].model_construct(items=items, next=more)

    async def answer(self, caller: Caller, run_id: str, body: AnswerRequest) -> QuestionView:
        return await self._view(await self._questions.answer(RunId(run_id), body, caller.actor))

    async def _view(self, question: Question) -> QuestionView:
        return question_view(question, await self._questions.answer_of(question))
