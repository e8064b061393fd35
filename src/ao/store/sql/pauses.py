"""The end of an attempt that pauses: its questions, and how the run waits."""

from ao.clock import to_datetime
from ao.domain.event import EventKind
from ao.domain.question import Asked, Pause, QuestionState
from ao.domain.run import Reason, RunState, Transition, ask, resume, sleep
from ao.domain.step import Step, StepKind, StepState
from ao.ids import RunId, new_question_id
from ao.store.sql.codec import EncodedEvent, to_json
from ao.store.sql.engine import Params, Tx
from ao.store.sql.held import Held
from ao.store.sql.steps import put_steps, row_of

_FIND = "SELECT state, deadline_us FROM run_question WHERE run_id = :run_id AND path = :path"

_INSERT = """
INSERT INTO run_question (question_id, run_id, path, kind, state, text, schema, details, fingerprint, asked_us,
  deadline_us)
VALUES (:question_id, :run_id, :path, :kind, 'open', :text, :schema, :details, :fingerprint, :now,
  :deadline_us)"""


def put_aside(tx: Tx, held: Held, pause: Pause) -> tuple[Transition, list[EncodedEvent]]:
    """Ask what is new, and decide how the run waits: not at all, when an answer is there already."""
    if not pause.questions:
        wake_us = tx.now_us if pause.wake_us is None else pause.wake_us
        return sleep(tx.now_us, held.actor, wake_us), []
    ends = [] if pause.wake_us is None else [pause.wake_us]
    events: list[EncodedEvent] = []
    steps: list[Step] = []
    waiting = True
    for asked in pause.questions:
        row = tx.one(_FIND, {"run_id": held.run_id, "path": asked.path})
        if row is None:
            deadline_us, event = _ask(tx, held, asked)
            events.append(event)
            steps.append(_step(asked, held.head.attempt, tx.now_us))
        else:
            state, deadline_us = row
            waiting = waiting and state == QuestionState.OPEN
        if deadline_us is not None:
            ends.append(deadline_us)
    put_steps(tx, held.run_id, [row_of(step) for step in steps])
    if not waiting:
        return resume(RunState.RUNNING, Reason.ANSWERED, tx.now_us, held.actor), events
    return ask(tx.now_us, held.actor, min(ends, default=None)), events


_ANSWER_STEP = """
UPDATE run_step SET state = 'completed', finished_us = :now, value = :value, value_blob = :value_blob
WHERE run_id = :run_id AND path = :path AND fingerprint = :fingerprint AND state <> 'completed'"""


def answer_step(tx: Tx, run_id: RunId, path: str, fingerprint: str, result: Params) -> None:
    """The step that asked has its result."""
    tx.run(_ANSWER_STEP, {"run_id": run_id, "path": path, "fingerprint": fingerprint, **result})


def _ask(tx: Tx, held: Held, asked: Asked) -> tuple[int | None, EncodedEvent]:
    """(When its time is over, its event)."""
    question_id, deadline_us = new_question_id(), None
    data: dict[str, object] = {
        "attempt": held.head.attempt,
        "question": question_id,
        "path": asked.path,
        "kind": asked.kind,
        "text": asked.text,
    }
    if asked.timeout_seconds is not None:
        deadline_us = tx.now_us + int(asked.timeout_seconds * 1_000_000)
        data["deadline_at"] = to_datetime(deadline_us).isoformat()
    tx.run(
        _INSERT,
        {
            "question_id": question_id,
            "run_id": held.run_id,
            "path": asked.path,
            "kind": asked.kind,
            "text": asked.text,
            "schema": asked.schema,
            "details": asked.details,
            "fingerprint": asked.fingerprint,
            "deadline_us": deadline_us,
        },
    )
    return deadline_us, (EventKind.QUESTION_ASKED.value, tx.now_us, to_json(data))


def _step(asked: Asked, attempt: int, now_us: int) -> Step:
    return Step(
        path=asked.path,
        parent=asked.parent,
        name=asked.name,
        key=asked.key,
        kind=StepKind.ASK,
        state=StepState.WAITING,
        attempt=attempt,
        started_us=now_us,
        fingerprint=asked.fingerprint,
    )
