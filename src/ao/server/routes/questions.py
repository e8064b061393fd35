"""What agents ask people, and their answers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ao.server.operations.questions import QuestionOperations, QuestionsQuery
from ao.server.replies import reply
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import RunIdText
from ao.server.services import Services
from ao.wire.schemas import Page
from ao.wire.steps import AnswerRequest, QuestionView


class QuestionRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = QuestionOperations(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["questions"], route_class=Route)
        add = router.add_api_route
        add("/questions", self.list_questions, methods=["GET"], response_model=Page[QuestionView])
        add("/runs/{run_id}/answer", self.answer_question, methods=["POST"], response_model=QuestionView)
        return router

    async def list_questions(self, request: Request, query: Annotated[QuestionsQuery, Query()]) -> Response:
        """What runs wait for people to answer, newest first."""
        return reply(await self._operations.list(caller_of(request), query))

    async def answer_question(self, request: Request, run_id: RunIdText, body: AnswerRequest) -> Response:
        """Answer what a run asks. The first answer counts and lets the run go on; a second is a conflict."""
        return reply(await self._operations.answer(caller_of(request), run_id, body))
