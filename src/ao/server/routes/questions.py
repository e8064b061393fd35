"""What agents ask people, and their answers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from ao.ids import QuestionId, RunId
from ao.server.replies import bad_cursor, cursor, read_cursor, reply
from ao.server.roles import scope_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentFilter, Cursor, Limit, RunIdText, actor
from ao.server.services import Services
from ao.server.step_views import question_view
from ao.store.question_records import Question, QuestionFilter
from ao.wire.schemas import Page
from ao.wire.schemas import Request as Strict
from ao.wire.steps import AnswerRequest, QuestionView

_ID_LENGTH = 36


class QuestionsQuery(Strict):
    agent: AgentFilter = None
    run: str | None = Field(None, max_length=_ID_LENGTH, description="Only this run's.")
    all: bool = Field(False, description="Also those that are answered or out of time.")
    limit: Limit = 50
    cursor: Cursor = None


class QuestionRoutes:
    def __init__(self, services: Services) -> None:
        self._questions = services.questions

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["questions"], route_class=Route)
        add = router.add_api_route
        add("/questions", self.list_questions, methods=["GET"], response_model=Page[QuestionView])
        add("/runs/{run_id}/answer", self.answer_question, methods=["POST"], response_model=QuestionView)
        return router

    async def list_questions(self, request: Request, query: Annotated[QuestionsQuery, Query()]) -> Response:
        """What runs wait for people to answer, newest first."""
        before = read_cursor(query.cursor)
        if before is not None and len(before) != _ID_LENGTH:
            raise bad_cursor()
        where = QuestionFilter(
            agents=[query.agent] if query.agent else scope_of(request),
            run_id=RunId(query.run) if query.run else None,
            open_only=not query.all,
            before=QuestionId(before) if before else None,
        )
        found = await self._questions.list(where, query.limit + 1)
        more = cursor(found[query.limit - 1].id) if len(found) > query.limit else None
        items = [await self._view(question) for question in found[: query.limit]]
        return reply(Page[QuestionView].model_construct(items=items, next=more))

    async def answer_question(self, request: Request, run_id: RunIdText, body: AnswerRequest) -> Response:
        """Answer what a run asks. The first answer counts and lets the run go on; a second is a conflict."""
        return reply(await self._view(await self._questions.answer(RunId(run_id), body, actor(request))))

    async def _view(self, question: Question) -> QuestionView:
        return question_view(question, await self._questions.answer_of(question))
