"""Agents that ask and sleep: no process meanwhile, and on where they were."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.local import ACTOR, WAIT_SECONDS, Local, local_platform
from tests.platform import descendants_of
from tests.served import until

from ao.bus import run_topic
from ao.domain.errors import AlreadyAnswered, Conflict, InvalidInput, NotFound
from ao.domain.event import EventKind
from ao.domain.run import RunState
from ao.ids import RunId, new_question_id
from ao.store.question_records import Question, QuestionFilter
from ao.store.sql.store import SqlStore
from ao.wire.steps import AnswerRequest

FUNCTION = 'entrypoint = "agent:work"\n[retries]\ninitial_delay = "10ms"\njitter = false\n'


@pytest.fixture
async def ao(tmp_path: Path) -> AsyncIterator[Local]:
    variables = {"AO_HEARTBEAT_SECONDS": "0.2", "AO_SLOTS": "1", "AO_WARM": "off"}
    async with local_platform(tmp_path, variables) as local:
        yield local


ANSWERED = """
INSERT INTO run_question (question_id, run_id, path, kind, state, text, fingerprint, asked_us, ended_us, actor)
VALUES (:question_id, :run_id, :path, 'question', 'answered', '?', '', 1, 1, 'key:test')"""


async def until_asked(ao: Local, run_id: RunId) -> list[Question]:
    """Its open questions, in order, once it is paused."""
    await ao.until_state(run_id, RunState.PAUSED)
    found = await ao.platform.store.questions.list(QuestionFilter(run_id=run_id), 100)
    return sorted(found, key=lambda question: question.path)


async def answer(ao: Local, run_id: RunId, **fields: object) -> Question:
    request = AnswerRequest.model_validate(fields)
    return await ao.platform.services.questions.answer(run_id, request, ACTOR)


ASKS = """
from ao_runner import ask, step
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
def work(task):
    first = step.run("first", lambda: print("first") or 1)
    answer = ask("Where to?", schema=SCHEMA, details={"from": task})
    return [first, answer["city"]]
"""


async def test_a_question_ends_the_process_and_its_answer_goes_on(ao: Local) -> None:
    await ao.deploy("asks", {"agent.py": ASKS}, toml=FUNCTION)
    run_id = await ao.submit("asks", "Rome")
    (question,) = await until_asked(ao, run_id)
    assert (question.text, question.details) == ("Where to?", '{"from": "Rome"}')

    async def no_process_is_left() -> bool:
        return descendants_of(ao.supervisors()[0]) == []

    await until(no_process_is_left)
    with pytest.raises(InvalidInput) as caught:
        await answer(ao, run_id, answer={"city": 5})
    assert caught.value.problems[0].field == "answer.city"
    with pytest.raises(InvalidInput, match="answer: is what this question takes"):
        await answer(ao, run_id, approved=True)
    await answer(ao, run_id, answer={"city": "Paris"}, comment="of course")
    with pytest.raises(AlreadyAnswered, match=f"{ACTOR} has answered it"):
        await answer(ao, run_id, answer={"city": "Oslo"})
    run = await ao.result(run_id)
    assert await ao.output(run) == [1, "Paris"]
    assert (await ao.lines(run_id)).count("first") == 1
    assert (run.head.attempt, run.head.failures) == (2, 0)


async def test_a_paused_run_leaves_its_slot_to_others(ao: Local) -> None:
    await ao.deploy("asks", {"agent.py": ASKS}, toml=FUNCTION)
    await ao.deploy("echo", {"agent.py": "def work(task): return task"}, toml=FUNCTION)
    run_id = await ao.submit("asks", 1)
    await until_asked(ao, run_id)
    assert await ao.output(await ao.run("echo", 5)) == 5
    cancelled = await ao.platform.services.runs.cancel(run_id, ACTOR)
    assert cancelled.head.state is RunState.CANCELLED
    with pytest.raises(AlreadyAnswered):
        await answer(ao, run_id, answer={"city": "late"})
    plain = await ao.run("echo", 6)
    with pytest.raises(NotFound, match="asks nothing"):
        await answer(ao, plain.id, answer=1)


async def test_an_old_question_is_found_behind_a_hundred_that_were_answered(ao: Local) -> None:
    await ao.deploy("asks", {"agent.py": ASKS}, toml=FUNCTION)
    run_id = await ao.submit("asks", 1)
    await until_asked(ao, run_id)
    store = ao.platform.store
    assert isinstance(store, SqlStore)
    rows = [{"question_id": new_question_id(), "run_id": run_id, "path": f"ask[{n}]"} for n in range(100)]
    await store.engine.write(lambda tx: tx.many(ANSWERED, rows))
    await answer(ao, run_id, answer={"city": "Bern"})
    assert await ao.output(await ao.result(run_id)) == [1, "Bern"]


TOGETHER = """
import asyncio
from ao_runner import ask, ledger, step
async def slow():
    while len(ledger.of_run()._waiting) < 2:  # both are asked, and the run would pause but for this step
        await asyncio.sleep(0)
    print("slow done", flush=True)
    return 1
async def one(name):
    return await ask(f"What of {name}?", key=name)
async def all_of_it():
    return await asyncio.gather(one("a"), step.run("slow", slow), one("b"))
def work(task):
    return asyncio.run(all_of_it())
"""


async def test_a_pause_waits_for_steps_in_flight_and_asks_everything_at_once(ao: Local) -> None:
    await ao.deploy("together", {"agent.py": TOGETHER}, toml=FUNCTION)
    run_id = await ao.submit("together")
    a, b = await until_asked(ao, run_id)
    assert (a.path, b.path) == ("ask[a]", "ask[b]")
    assert await ao.lines(run_id) == ["slow done"]
    with pytest.raises(Conflict, match="asks 2 questions: which one"):
        await answer(ao, run_id, answer=1)
    await answer(ao, run_id, answer=2, question=b.id)
    await ao.until_state(run_id, RunState.PAUSED, attempt=2)
    await answer(ao, run_id, answer=1)
    run = await ao.result(run_id)
    assert await ao.output(run) == [1, 1, 2]
    assert (await ao.lines(run_id)).count("slow done") == 1
    asked = [event for event in await ao.events(run_id) if event.kind is EventKind.QUESTION_ASKED]
    assert len(asked) == 2


APPROVES = """
from ao_runner import approve
def work(task):
    decision = approve("Send it?", timeout=task)
    return [bool(decision), decision.by, decision.comment, bool(decision.at)]
"""


@pytest.mark.parametrize("approved", [True, False])
async def test_an_approval_says_who_and_when(ao: Local, approved: bool) -> None:
    await ao.deploy("approves", {"agent.py": APPROVES}, toml=FUNCTION)
    run_id = await ao.submit("approves")
    await until_asked(ao, run_id)
    with pytest.raises(InvalidInput, match="approved: is what this approval takes"):
        await answer(ao, run_id, answer=True)
    done = await answer(ao, run_id, approved=approved, comment="looked at it")
    assert (done.actor, done.comment) == (ACTOR, "looked at it")
    run = await ao.result(run_id)
    assert await ao.output(run) == [approved, ACTOR, "looked at it", True]
    (event,) = [event for event in await ao.events(run_id) if event.kind is EventKind.QUESTION_ANSWERED]
    assert (event.data["by"], event.data["approved"]) == (ACTOR, approved)


TIMES_OUT = """
from ao_runner import AnswerTimeout, approve, ask
def work(task):
    if task == "default":
        return ask("Well?", timeout=0.05, default="nothing")
    if task == "approve":
        return bool(approve("Well?", timeout=0.05))
    if task == "caught":
        try:
            ask("Well?", timeout=0.05)
        except AnswerTimeout as error:
            return str(error)
    ask("Well?", timeout=0.05)
"""


async def test_nobody_answers_in_time_and_the_run_goes_on_as_it_says(ao: Local) -> None:
    await ao.deploy("waits", {"agent.py": TIMES_OUT}, toml=FUNCTION)
    assert await ao.output(await ao.run("waits", "default")) == "nothing"
    assert await ao.output(await ao.run("waits", "approve")) is False
    assert await ao.output(await ao.run("waits", "caught")) == "nobody answered in time"
    run = await ao.run("waits", "raise")
    assert run.error is not None
    assert (run.head.state, run.error.type, run.head.failures) == (RunState.FAILED, "AnswerTimeout", 1)


BAD = """
from ao_runner import ask, approve, step
def work(task):
    try:
        return eval(task)
    except (ValueError, RuntimeError) as error:
        return str(error)
"""


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("ask('?', schema={'type': 'nonsense'})", "the schema of the answer is no JSON Schema"),
        ("ask('?', schema={'$ref': 'http://127.0.0.1:9/schema'})", "Retrieval is disabled"),
        ("ask('?', details={1, 2})", "details is set"),
        ("ask('')", "a question is a text"),
        ("ask('?' * 20000)", "1 to 10,000 characters"),
        ("ask('?', timeout=-1)", "`timeout` is a number of seconds"),
        ("step.run('pay', lambda: approve('?'), once=True)", "a step with `once=True` cannot wait"),
    ],
)
async def test_what_cannot_be_asked_is_refused_where_it_is_asked(ao: Local, call: str, words: str) -> None:
    await ao.deploy("bad", {"agent.py": BAD}, toml=FUNCTION)
    assert words in str(await ao.output(await ao.run("bad", call)))


async def test_what_cannot_be_asked_is_not_tried_again(ao: Local) -> None:
    source = "from ao_runner import ask\ndef work(task): return ask('?', schema={'type': 'nonsense'})"
    await ao.deploy("bad", {"agent.py": source}, toml=FUNCTION)
    run = await ao.run("bad")
    assert run.error is not None
    assert (run.head.state, run.head.attempt, run.error.type) == (RunState.FAILED, 1, "Refused")
    assert "the schema of the answer is no JSON Schema" in run.error.message


SLEEPS = """
import time, os
from ao_runner import sleep, step
def work(seconds):
    step.run("before", lambda: print("before"))
    sleep(seconds)
    return os.environ["AO_ATTEMPT"]
"""


async def test_a_sleep_frees_the_slot_and_goes_on_when_it_is_over(ao: Local) -> None:
    await ao.deploy("sleeps", {"agent.py": SLEEPS}, toml=f"run_timeout = 5\n{FUNCTION}")
    await ao.deploy("echo", {"agent.py": "def work(task): return task"}, toml=FUNCTION)
    run_id = await ao.submit("sleeps", 6)
    run = await ao.until_state(run_id, RunState.PENDING, attempt=1)
    why = await ao.platform.services.runs.why_pending(run)
    assert why is not None
    assert why.startswith("it sleeps until ")
    assert await ao.output(await ao.run("echo", 1)) == 1
    run = await ao.result(run_id)
    assert await ao.output(run) == "2"
    assert (await ao.lines(run_id)).count("before") == 1
    assert run.started_us is not None
    assert run.finished_us is not None
    assert run.finished_us - run.started_us >= 6_000_000
    reasons = [event.data["reason"] for event in await ao.events(run_id) if event.kind is EventKind.STATE]
    assert reasons == ["created", "claimed", "sleeping", "claimed", "completed"]


async def test_a_short_sleep_is_slept_in_the_process(ao: Local) -> None:
    await ao.deploy("naps", {"agent.py": SLEEPS}, toml=FUNCTION)
    assert await ao.output(await ao.run("naps", 0.2)) == "1"


CANCELS = """
import asyncio
from ao_runner import ask, step
async def quick():
    return "done"
async def work_():
    try:
        await asyncio.wait_for(asyncio.gather(ask("Anybody?"), step.run("slow", asyncio.sleep, 0.5)), 0.1)
    except asyncio.TimeoutError:
        return await step.run("quick", quick)
def work(task):
    return asyncio.run(work_())
"""


async def test_a_question_that_is_given_up_holds_nobody_back(ao: Local) -> None:
    await ao.deploy("gives-up", {"agent.py": CANCELS}, toml=FUNCTION)
    run = await ao.run("gives-up")
    assert await ao.output(run) == "done"


async def test_streams_go_on_over_a_pause(ao: Local) -> None:
    await ao.deploy("asks", {"agent.py": ASKS}, toml=FUNCTION)
    run_id = await ao.submit("asks", 1)
    await until_asked(ao, run_id)
    with ao.platform.bus.subscribe(run_topic(run_id)) as hints:
        await answer(ao, run_id, answer={"city": "Bern"})
        async with asyncio.timeout(WAIT_SECONDS):
            assert await hints.wait(WAIT_SECONDS)
    await ao.result(run_id)
    events = await ao.events(run_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
