"""`ao.v1.QuestionService`: what agents ask people, and their answers."""

from ao.server.grpc.methods import Method, Service, answer
from ao.server.grpc.requests import OfRun
from ao.server.operations.questions import QuestionOperations, QuestionsQuery
from ao.server.services import Services
from ao.wire.steps import AnswerRequest


class AnswerQuestion(OfRun, AnswerRequest):
    """Which run's, and the answer."""


def question_service(services: Services) -> Service:
    questions = QuestionOperations(services)
    return {
        "ListQuestions": Method("list_questions", QuestionsQuery, answer(questions.list)),
        "AnswerQuestion": Method(
            "answer_question",
            AnswerQuestion,
            answer(lambda caller, asked: questions.answer(caller, asked.run_id, asked)),
        ),
    }
