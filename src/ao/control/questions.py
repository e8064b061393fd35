"""What agents ask people, and their answers."""

import json
from collections.abc import Sequence

import jsonschema_rs
from pydantic import JsonValue

from ao.bus import READY, Bus, announce
from ao.clock import Clock, to_datetime
from ao.control import audit
from ao.control.payloads import Payloads, dump
from ao.domain.errors import Conflict, InvalidInput, NotFound, Problem
from ao.domain.question import QuestionKind
from ao.ids import QuestionId, RunId
from ao.store import Store
from ao.store.question_records import NewAnswer, Question, QuestionFilter
from ao.wire.steps import AnswerRequest

MAX_OF_RUN = 100


class Questions:
    def __init__(self, store: Store, payloads: Payloads, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._payloads = payloads
        self._bus = bus
        self._clock = clock

    async def list(self, where: QuestionFilter, limit: int) -> Sequence[Question]:
        """Newest first."""
        return await self._store.questions.list(where, limit)

    async def answer(self, run_id: RunId, request: AnswerRequest, actor: str) -> Question:
        """Answer what a run asks: the question that is named, or the only one that is open.

        Raises NotFound, Conflict (which one?), AlreadyAnswered, InvalidInput (what does not fit, and where).
        """
        question = await self._question(run_id, request)
        value = _value(question, request)
        _check(question, value)
        at = to_datetime(self._clock.now_us()).isoformat()
        result = dump({"answer": value, "by": actor, "at": at, "comment": request.comment})
        answer = NewAnswer(
            question.id,
            await self._payloads.keep(result, "answer"),
            actor,
            request.comment,
            approved=bool(value) if question.kind is QuestionKind.APPROVAL else None,
        )
        entry = audit.entry(
            actor, "question.answer", f"run:{run_id}", question.agent, question=question.id, path=question.path
        )
        answered = await self._store.questions.answer(answer, entry)
        self._bus.publish(READY)
        announce(self._bus, run_id)
        return answered

    async def answer_of(self, question: Question) -> JsonValue:
        """The answer's value; None while there is none."""
        result = await self._payloads.value(question.answer)
        return result.get("answer") if isinstance(result, dict) else None

    async def _question(self, run_id: RunId, request: AnswerRequest) -> Question:
        if request.question is not None:
            question = await self._store.questions.get(QuestionId(request.question))
            if question.run_id != run_id:
                raise NotFound(f"Run {run_id} has no question {request.question}.")
            return question
        await self._store.runs.get(run_id)
        still_open = await self._store.questions.list(QuestionFilter(run_id=run_id), MAX_OF_RUN)
        if len(still_open) == 1:
            return still_open[0]
        if still_open:
            paths = ", ".join(f"{question.id} ({question.path})" for question in still_open)
            raise Conflict(f"Run {run_id} asks {len(still_open)} questions: which one? {paths}", hint=_WHICH)
        if asked := await self._store.questions.list(QuestionFilter(run_id=run_id, open_only=False), 1):
            return asked[0]  # whose end says why it cannot be answered
        raise NotFound(f"Run {run_id} asks nothing.", hint="`ao questions` lists what is asked.")


_WHICH = "name one: `question` in the request, `--question` of `ao answer`"


def _value(question: Question, request: AnswerRequest) -> JsonValue:
    """The answer as the kind of question has it."""
    given = request.model_fields_set & {"answer", "approved"}
    wanted = "approved" if question.kind is QuestionKind.APPROVAL else "answer"
    if given != {wanted} or (wanted == "approved" and request.approved is None):
        words = "true or false" if wanted == "approved" else "a JSON value"
        problem = Problem(wanted, f"is what this {question.kind} takes: {words}")
        raise InvalidInput(f"{wanted}: {problem.message}", problems=[problem])
    return request.approved if wanted == "approved" else request.answer


def _check(question: Question, value: JsonValue) -> None:
    """Hold it against the schema that the agent gave."""
    if question.schema is None:
        return
    validator = jsonschema_rs.validator_for(json.loads(question.schema), offline=True)
    problems = [
        Problem(".".join(["answer", *map(str, error.instance_path)]), error.message)
        for error in validator.iter_errors(value)
    ]
    if problems:
        first = problems[0]
        raise InvalidInput(
            f"the answer does not match what was asked for: {first.field}: {first.message}",
            hint="`ao questions --json` shows the schema",
            problems=problems,
        )
