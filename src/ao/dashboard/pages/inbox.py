"""Inbox: what agents ask people, the oldest first, and what became of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.answer_form import Field, fields_of, read, with_problems
from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.navigation import Crumb
from ao.dashboard.pages.asked import run_id_of, short
from ao.dashboard.parameters import run_id_in
from ao.domain.errors import AlreadyAnswered, InvalidInput, NotFound, Problem
from ao.domain.question import QuestionKind, QuestionState
from ao.ids import QuestionId
from ao.store.question_records import Question, QuestionFilter
from ao.wire.problems import status_of
from ao.wire.steps import AnswerRequest

PAGE = 20
MAX_OF_RUN = 100
MAX_COMMENT = 4000
INBOX = Crumb("Inbox", "/inbox")


@dataclass(frozen=True, slots=True)
class Card:
    """A question as a page shows it."""

    question: Question
    word: str
    """Its state: open, approved, denied, answered, timed_out, or closed with its run."""
    details: str | None
    answer: str | None
    """As JSON, of an answered question."""
    fields: Sequence[Field]
    problems: Sequence[Problem]
    """That belong to no field."""
    comment: str
    command: str


class InboxPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._questions = frame.services.questions
        self._store = frame.services.store.questions

    def routes(self) -> list[Route]:
        page, one = self._frame.page, "/runs/{run_id}/questions/{question_id}"
        return [
            page("/inbox", self.open, "list_questions"),
            page("/inbox/ended", self.ended, "list_questions"),
            page("/runs/{run_id}/questions", self.of_run, "get_run"),
            page(one, self.question, "get_run"),
            self._frame.action(one, self.answer, "answer_question"),
        ]

    async def open(self, visit: Visit) -> Response:
        after = run_id_in(visit.query, "after")
        where = QuestionFilter(visit.scope, after=QuestionId(after or ""))
        found = await self._questions.list(where, PAGE + 1)
        cards = [await self._card(question) for question in found[:PAGE]]
        more = f"/inbox?after={found[PAGE - 1].id}" if len(found) > PAGE else None
        return self._frame.render(
            visit, "inbox.html", title="Inbox", section="inbox", cards=cards, more=more, is_first=after is None
        )

    async def ended(self, visit: Visit) -> Response:
        before = run_id_in(visit.query, "before")
        cursor = QuestionId(before) if before else None
        where = QuestionFilter(visit.scope, open_only=False, ended_only=True, before=cursor)
        found = await self._questions.list(where, PAGE + 1)
        return self._frame.render(
            visit,
            "inbox_ended.html",
            title="Answered",
            section="inbox",
            crumbs=(INBOX,),
            cards=[await self._card(question) for question in found[:PAGE]],
            more=f"/inbox/ended?before={found[PAGE - 1].id}" if len(found) > PAGE else None,
            is_first=before is None,
        )

    async def of_run(self, visit: Visit) -> Response:
        """What one run asks or asked."""
        run_id = run_id_of(visit)
        still_open = QuestionFilter(run_id=run_id, after=QuestionId(""))
        ended = QuestionFilter(run_id=run_id, open_only=False, ended_only=True)
        found = [
            *await self._questions.list(still_open, MAX_OF_RUN),
            *reversed(await self._questions.list(ended, MAX_OF_RUN)),
        ]
        return self._frame.render(
            visit,
            "questions_of_run.html",
            title=f"Questions of {short(run_id)}",
            section="inbox",
            crumbs=(INBOX, Crumb(f"Run {short(run_id)}", f"/runs/{run_id}")),
            cards=[await self._card(question) for question in found],
        )

    async def question(self, visit: Visit) -> Response:
        question = await self._asked(visit)
        return self._show(visit, await self._card(question))

    async def answer(self, visit: Visit) -> Response:
        question = await self._asked(visit)
        fields = fields_of(_json(question.schema))
        comment = visit.form.get("comment", "")[:MAX_COMMENT]
        try:
            request = _request(question, fields, visit.form, comment)
            await self._questions.answer(question.run_id, request, visit.actor)
        except AlreadyAnswered as error:
            now = await self._asked(visit)
            return self._show(visit, await self._card(now), refused=error.message, status=status_of(error))
        except InvalidInput as error:
            problems = error.problems or (Problem("", error.message),)
            filled, rest = with_problems(fields, visit.form, problems)
            card = await self._card(question, filled, rest, comment)
            return self._show(visit, card, status=status_of(error))
        return redirect(f"/runs/{question.run_id}/questions/{question.id}")

    async def _asked(self, visit: Visit) -> Question:
        run_id = run_id_of(visit)
        question = await self._store.get(QuestionId(visit.path["question_id"]))
        if question.run_id != run_id:
            raise NotFound(f"Run {run_id} has no question {question.id}.")
        return question

    async def _card(
        self,
        question: Question,
        fields: Sequence[Field] | None = None,
        problems: Sequence[Problem] = (),
        comment: str = "",
    ) -> Card:
        answer = await self._questions.answer_of(question)
        approval = question.kind is QuestionKind.APPROVAL
        said = "--approve" if approval else "'ANSWER'"
        return Card(
            question=question,
            word=_word(question, answer),
            details=_pretty(question.details),
            answer=None if question.state is not QuestionState.ANSWERED or approval else _dump(answer),
            fields=[] if approval else fields_of(_json(question.schema)) if fields is None else fields,
            problems=problems,
            comment=comment,
            command=f"ao answer {question.run_id} {said}",
        )

    def _show(self, visit: Visit, card: Card, *, refused: str = "", status: int = 200) -> Response:
        question = card.question
        run = Crumb(f"{question.agent} {short(question.run_id)}", f"/runs/{question.run_id}")
        return self._frame.render(
            visit,
            "question.html",
            title="Approval" if question.kind is QuestionKind.APPROVAL else "Question",
            section="inbox",
            crumbs=(INBOX, run),
            card=card,
            refused=refused,
            status=status,
        )


def _request(
    question: Question, fields: Sequence[Field], form: Mapping[str, str], comment: str
) -> AnswerRequest:
    if question.kind is not QuestionKind.APPROVAL:
        return AnswerRequest(question=question.id, answer=read(fields, form), comment=comment)
    decided = {"true": True, "false": False}.get(form.get("approved", ""))
    if decided is None:
        raise InvalidInput("choose yes or no", problems=[Problem("", "choose one of the two")])
    return AnswerRequest(question=question.id, approved=decided, comment=comment)


def _word(question: Question, answer: JsonValue) -> str:
    if question.state is QuestionState.ANSWERED and question.kind is QuestionKind.APPROVAL:
        return "approved" if answer else "denied"
    if question.state is QuestionState.OPEN and not question.answerable:
        return "closed"
    return str(question.state)


def _json(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _pretty(text: str | None) -> str | None:
    return None if text is None else _dump(json.loads(text))


def _dump(value: object) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
