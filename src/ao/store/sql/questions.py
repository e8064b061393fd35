"""`ao.store.QuestionStore` in SQL."""

from collections.abc import Sequence

from ao.domain.errors import AlreadyAnswered, NotFound
from ao.domain.event import EventKind
from ao.domain.question import QuestionKind, QuestionState
from ao.domain.run import Reason, RunState
from ao.ids import QuestionId, RunId
from ao.store.audit import NewAudit
from ao.store.question_records import NewAnswer, Question, QuestionFilter
from ao.store.sql import attempts, gates
from ao.store.sql import run_sql as sql
from ao.store.sql.audit import note
from ao.store.sql.codec import EncodedEvent, payload_from, to_json
from ao.store.sql.engine import Engine, Params, Row, Tx
from ao.store.sql.held import add_events, hold
from ao.store.sql.pauses import answer_step
from ao.store.sql.steps import TIMED_OUT

_SELECT = """
SELECT q.question_id, q.run_id, r.agent, h.state, q.path, q.kind, q.state, q.text, q.schema, q.details,
  q.asked_us, q.deadline_us, q.ended_us, q.actor, q.comment, s.value, s.value_blob, q.fingerprint
FROM run_question q
  CROSS JOIN run r
  CROSS JOIN run_head h
  LEFT JOIN run_step s ON s.run_id = q.run_id AND s.path = q.path AND q.state = 'answered'
WHERE r.run_id = q.run_id AND h.run_id = q.run_id"""
"""From the questions to their runs, never from all runs of an agent: SQLite keeps the order of CROSS JOIN."""

_GET = _SELECT + " AND q.question_id = :question_id"

_ANSWER = """
UPDATE run_question SET state = 'answered', ended_us = :now, actor = :actor, comment = :comment
WHERE question_id = :question_id AND state = 'open'"""


_TAKE_TIMERS = """
WITH due AS MATERIALIZED (
  SELECT due_us, run_id FROM run_timer WHERE due_us <= :now ORDER BY due_us, run_id LIMIT :limit
  FOR UPDATE SKIP LOCKED)
DELETE FROM run_timer WHERE (due_us, run_id) IN (SELECT due_us, run_id FROM due)
RETURNING run_id, due_us"""

_TIME_OUT = """
UPDATE run_question SET state = 'timed_out', ended_us = :now
WHERE run_id = :run_id AND state = 'open' AND deadline_us <= :now
RETURNING question_id, path, fingerprint"""


class SqlQuestionStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self, where: QuestionFilter, limit: int) -> Sequence[Question]:
        conditions, params = _conditions(where)
        order = "DESC" if where.after is None else "ASC"
        sql = f"{_SELECT}{conditions} ORDER BY q.question_id {order} LIMIT :limit"
        rows = await self._engine.read(lambda tx: tx.all(sql, {**params, "limit": limit}))
        return [_question_from(row) for row in rows]

    async def get(self, question_id: QuestionId) -> Question:
        row = await self._engine.read(lambda tx: tx.one(_GET, {"question_id": question_id}))
        if row is None:
            raise _no_such(question_id)
        return _question_from(row)

    async def answer(self, answer: NewAnswer, audit: NewAudit | None = None) -> Question:
        return await self._engine.write(lambda tx: _answer(tx, answer, audit))


_ENDED = "('completed', 'failed', 'cancelled')"


def _conditions(where: QuestionFilter) -> tuple[str, Params]:
    found = {
        "q.state = 'open'": where.open_only,
        f"h.state NOT IN {_ENDED}": where.open_only,
        f"(q.state <> 'open' OR h.state IN {_ENDED})": where.ended_only,
        "q.run_id = :run_id": where.run_id is not None,
        "q.question_id < :before": where.before is not None,
        "q.question_id > :after": where.after is not None,
    }
    names = {f"agent{number}": name for number, name in enumerate(where.agents)}
    if names:
        found[f"r.agent IN ({', '.join(f':{name}' for name in names)})"] = True
    asked = [condition for condition, wanted in found.items() if wanted]
    params: Params = {"run_id": where.run_id, "before": where.before, "after": where.after, **names}
    return "".join(f" AND {condition}" for condition in asked), params


def _answer(tx: Tx, answer: NewAnswer, audit: NewAudit | None) -> Question:
    params = {"question_id": answer.question_id}
    row = tx.one(_GET, params)
    if row is None:
        raise _no_such(answer.question_id)
    held = hold(tx, row[1])  # before the question: the order in which a pause takes them
    said = {"actor": answer.actor, "comment": answer.comment or None}
    if held.head.state.terminal or tx.count(_ANSWER, {**params, **said}) == 0:
        now = tx.one(_GET, params)
        raise _over(_question_from(row if now is None else now))
    answer_step(tx, row[1], row[4], row[17], {"value": answer.value.inline, "value_blob": answer.value.blob})
    data: dict[str, object] = {"question": answer.question_id, "path": row[4], "by": answer.actor}
    if answer.comment:
        data["comment"] = answer.comment
    if answer.approved is not None:
        data["approved"] = answer.approved
    event = (EventKind.QUESTION_ANSWERED.value, tx.now_us, to_json(data))
    if held.head.state is RunState.PAUSED:
        attempts.go_on(tx, held, Reason.ANSWERED, answer.actor, [event])
        gates.queue(tx, [(held.run_id, held.gated is not None)])
    else:
        add_events(tx, held, [event])
    if audit is not None:
        note(tx, audit)
    done = tx.one(_GET, params)
    assert done is not None
    return _question_from(done)


def wake_due(tx: Tx, limit: int) -> list[tuple[RunId, bool]]:
    """Let paused runs go on whose time has come; which, and whether each has gates."""
    woken = []
    for run_id, due_us in tx.all(_TAKE_TIMERS, {"limit": limit}):
        held = hold(tx, run_id)
        if held.waits_for_first_worker:
            tx.run(sql.SET_TIMER, {"run_id": run_id, "due_us": due_us})  # until it is cancelled
        if held.head.state is not RunState.PAUSED or held.due_us != due_us:
            continue
        events: list[EncodedEvent] = []
        for question_id, path, fingerprint in tx.all(_TIME_OUT, {"run_id": run_id}):
            data = to_json({"question": question_id, "path": path})
            events.append((EventKind.QUESTION_TIMED_OUT.value, tx.now_us, data))
            answer_step(tx, run_id, path, fingerprint, {"value": TIMED_OUT, "value_blob": None})
        attempts.go_on(tx, held, Reason.TIMED_OUT if events else Reason.WOKE, "system", events)
        woken.append((held.run_id, held.gated is not None))
    return woken


def _no_such(question_id: QuestionId) -> NotFound:
    return NotFound(f"There is no question {question_id}.", hint="`ao questions` lists those that are open.")


def _over(question: Question) -> AlreadyAnswered:
    why = f"its run is {question.run_state}"
    if question.state is QuestionState.ANSWERED:
        why = f"{question.actor} has answered it"
    elif question.state is QuestionState.TIMED_OUT:
        why = "its time is over"
    return AlreadyAnswered(
        f"Question {question.id} is no longer open: {why}.",
        hint="The first answer counts; `ao show` shows what became of the run.",
        details={"question": question.id},
    )


def _question_from(row: Row) -> Question:
    return Question(
        id=row[0],
        run_id=row[1],
        agent=row[2],
        run_state=RunState(row[3]),
        path=row[4],
        kind=QuestionKind(row[5]),
        state=QuestionState(row[6]),
        text=row[7],
        schema=row[8],
        details=row[9],
        asked_us=row[10],
        deadline_us=row[11],
        ended_us=row[12],
        actor=row[13],
        comment=row[14],
        answer=payload_from(row[15], row[16]),
    )
