"""Sessions of real agents: memory and files between runs, whatever cuts them off."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.local import Local, local_platform

from ao.domain.errors import Conflict, NotFound, SessionBusy
from ao.domain.payload import Payload
from ao.domain.run import RunState
from ao.store.sessions import Session, SessionFilter, SessionKey
from ao.wire.steps import AnswerRequest

FUNCTION = 'entrypoint = "agent:work"\n[retries]\nmax_retries = 2\ninitial_delay = "10ms"\njitter = false\n'


@pytest.fixture(params=["warm", "cold"])
async def ao(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Local]:
    variables = {"AO_HEARTBEAT_SECONDS": "0.2", "AO_WARM": "on" if request.param == "warm" else "off"}
    async with local_platform(tmp_path, variables) as local:
        yield local


@pytest.fixture
async def cold(tmp_path: Path) -> AsyncIterator[Local]:
    variables = {"AO_HEARTBEAT_SECONDS": "0.2", "AO_WARM": "off"}
    async with local_platform(tmp_path, variables) as local:
        yield local


async def session(ao: Local, agent: str, id: str = "s") -> Session:
    return await ao.platform.store.sessions.get(SessionKey(agent, id))


async def said(ao: Local, agent: str, id: str = "s") -> list[object]:
    key = SessionKey(agent, id)
    version = (await ao.platform.store.sessions.get(key)).version
    found = await ao.platform.store.sessions.messages(key, version, 0, 1000)
    return [json.loads(message.content.inline or "null") for message in found]


CHAT = """
from ao_runner import session

def work(text):
    session.state["turns"] = session.state.get("turns", 0) + 1
    session.state.setdefault("seen", []).append(text)
    earlier = [message["content"] for message in session.messages]
    session.add("user", text)
    session.add("assistant", f"{text}!")
    notes = session.workspace / "notes.txt"
    with notes.open("a") as file:
        file.write(text + "\\n")
    return {"id": session.id, "earlier": earlier, "notes": notes.read_text().split(), "place": str(notes),
            "state": dict(session.state), "seqs": [message.seq for message in session.messages]}
"""


async def test_the_next_run_of_a_session_remembers(ao: Local) -> None:
    await ao.deploy("chat", {"agent.py": CHAT}, toml=FUNCTION)
    first = await ao.output(await ao.run("chat", "hi", session="s"))
    assert isinstance(first, dict)
    assert (first["id"], first["earlier"], first["notes"]) == ("s", [], ["hi"])
    assert first["place"] == "/home/agent/workspace/notes.txt"
    run = await ao.run("chat", "again", session="s")
    second = await ao.output(run)
    assert isinstance(second, dict)
    assert second["earlier"] == ["hi", "hi!"]
    assert second["notes"] == ["hi", "again"]
    assert second["state"] == {"turns": 2, "seen": ["hi", "again"]}
    assert second["seqs"] == [1, 2, 3, 4]
    assert run.session == "s"
    alone = await ao.output(await ao.run("chat", "other"))
    other = await ao.output(await ao.run("chat", "other", session="t"))
    assert isinstance(alone, dict)
    assert isinstance(other, dict)
    assert (alone["id"], alone["earlier"], alone["notes"]) == (None, [], ["other"])
    assert (other["id"], other["earlier"], other["notes"]) == ("t", [], ["other"])
    assert (await session(ao, "chat")).version == 3


STEPS = """
import os
from ao_runner import session, step

def think(text):
    session.add("tool", text)
    session.state["thought"] = text
    return text

def fails_once():
    session.add("tool", "never")
    if os.environ["AO_ATTEMPT"] == "1":
        raise ValueError("not yet")
    return "done"

def work(text):
    session.add("user", text)
    step.run("think", think, text + "?")
    before = len(session.messages)
    if os.environ["AO_ATTEMPT"] == "1":
        step.run("fails", fails_once)
    session.add("assistant", text + "!")
    return [before, [message["content"] for message in session.messages]]
"""


async def test_a_step_that_answers_from_its_record_does_not_write_twice(ao: Local) -> None:
    await ao.deploy("steps", {"agent.py": STEPS}, toml=FUNCTION)
    run = await ao.run("steps", "hi", session="s")
    assert run.head.attempt == 2
    assert await ao.output(run) == [2, ["hi", "hi?", "hi!"]]
    assert await said(ao, "steps") == ["hi", "hi?", "hi!"]
    versions = await ao.platform.store.sessions.history(SessionKey("steps", "s"), None, 10)
    assert [(each.step, list(each.changed)) for each in versions] == [
        ("", ["messages"]),
        ("think", ["state", "messages"]),
        ("", []),
    ]


FAILS = """
from ao_runner import session, step, Permanent

def work(kept):
    session.state["n"] = 1
    session.add("user", "lost")
    (session.workspace / "lost").write_text("x")
    if kept:
        step.run("s", lambda: 1)
    raise Permanent("no")
"""


@pytest.mark.parametrize(("kept", "messages"), [(False, []), (True, ["lost"])])
async def test_a_run_that_fails_leaves_only_what_its_steps_have_committed(
    cold: Local, kept: bool, messages: list[str]
) -> None:
    await cold.deploy("fails", {"agent.py": FAILS}, toml=FUNCTION)
    run = await cold.run("fails", kept, session="s")
    assert run.head.state is RunState.FAILED
    now = await session(cold, "fails")
    assert (now.messages, now.workspace is not None, now.active) == (len(messages), kept, None)
    assert await said(cold, "fails") == messages


PAUSES = """
from ao_runner import ask, session, sleep, step

def work(text):
    session.add("user", text)
    (session.workspace / "draft").write_text(text)
    step.run("write", lambda: (session.workspace / "made").write_text("by a step"))
    name = ask("Your name?")
    session.add("assistant", f"Hello {name}")
    return sorted(path.name for path in session.workspace.iterdir())
"""


async def test_a_pause_keeps_files_and_messages_and_the_session_stays_taken(ao: Local) -> None:
    await ao.deploy("asks", {"agent.py": PAUSES}, toml=FUNCTION)
    run_id = await ao.submit("asks", "hi", session="s")
    await ao.until_state(run_id, RunState.PAUSED)
    assert await said(ao, "asks") == ["hi"]
    with pytest.raises(SessionBusy) as refused:
        await ao.submit("asks", "hi", session="s", on_overlap="reject")
    assert refused.value.details["run_id"] == run_id
    answer = AnswerRequest(answer="Ada")
    await ao.platform.services.questions.answer(run_id, answer, "key:ada")
    run = await ao.result(run_id)
    assert await ao.output(run) == ["draft", "made"]
    assert await said(ao, "asks") == ["hi", "Hello Ada"]


ASYNC = """
import asyncio
from ao_runner import session, step

async def one(n):
    session.add("tool", n)
    await asyncio.sleep(0.01)
    session.state[f"n{n}"] = n
    return n

async def work(task):
    session.add("user", "all")
    with_key = [step.run("one", one, n, key=n) for n in range(4)]
    await asyncio.gather(*with_key)
    async def outer():
        await step.run("inner", one, 7)
        session.add("tool", "outer")
    await step.run("outer", outer)
    return sorted(session.state), [message["content"] for message in session.messages][-2:]
"""


async def test_steps_at_once_and_inside_of_each_other_commit_what_they_wrote(ao: Local) -> None:
    await ao.deploy("async", {"agent.py": ASYNC}, toml=FUNCTION)
    run = await ao.run("async", None, session="s")
    assert await ao.output(run) == [["n0", "n1", "n2", "n3", "n7"], [7, "outer"]]
    messages = await said(ao, "async")
    assert (messages[0], sorted(map(str, messages[1:5])), messages[5:]) == ("all", list("0123"), [7, "outer"])


TRIES = """
from ao_runner import session, step

tries = []

def flaky():
    tries.append(1)
    session.add("tool", len(tries))
    session.state["tries"] = len(tries)
    if len(tries) < 2:
        raise ValueError("again")

def work(task):
    step.run("flaky", flaky, retries=1)
    return [session.state["tries"], [message["content"] for message in session.messages]]
"""


async def test_a_try_that_fails_leaves_nothing(cold: Local) -> None:
    await cold.deploy("tries", {"agent.py": TRIES}, toml=FUNCTION)
    assert await cold.output(await cold.run("tries", None, session="s")) == [2, [2]]


COMMAND = """#!/bin/sh
set -eu
echo "$AO_SESSION $AO_WORKSPACE"
date >> "$AO_WORKSPACE/calls"
echo '{"role": "user", "content": "hi"}' >> "$AO_SESSION_MESSAGES"
echo "{\\"calls\\": $(wc -l < "$AO_WORKSPACE/calls")}" > "$AO_SESSION_STATE"
wc -l < "$AO_SESSION_MESSAGES" > "$AO_OUTPUT"
"""
SCRIPT = """
import json, os
from ao_runner import session
session.add("user", os.environ["AO_SESSION"])
json.dump(len(session.messages), open(os.environ["AO_OUTPUT"], "w"))
"""


async def test_commands_and_scripts_have_a_session(cold: Local) -> None:
    await cold.deploy("command", {"run.sh": COMMAND}, toml='command = ["sh", "run.sh"]')
    await cold.deploy("script", {"agent.py": SCRIPT}, toml='entrypoint = "agent.py"')
    for number in (1, 2):
        run = await cold.run("command", None, session="s")
        assert await cold.output(run) == number
        assert await cold.lines(run.id) == ["s /home/agent/workspace"]
        assert await cold.output(await cold.run("script", None, session="s")) == number
    now = await session(cold, "command")
    assert (now.messages, now.state) == (2, Payload('{"calls":2}'))
    assert await said(cold, "script") == ["s", "s"]


LONG = """
from ao_runner import session

def work(count):
    for number in range(count):
        session.add("user", "x" * 1000)
    return [len(session.messages), session.messages[-1].seq]
"""


async def test_long_conversations_come_in_pages(cold: Local) -> None:
    await cold.deploy("long", {"agent.py": LONG}, toml=FUNCTION)
    assert await cold.output(await cold.run("long", 700, session="s")) == [700, 700]
    assert await cold.output(await cold.run("long", 1, session="s")) == [701, 701]


HOLDS = """
import time
from ao_runner import session, step

def work(text):
    session.add("user", text)
    step.run("begin", lambda: 1)
    print("begun", text)
    if text.startswith("long"):
        time.sleep(60)
    session.add("assistant", text + "!")
    return [message["content"] for message in session.messages]
"""


async def test_runs_of_a_session_wait_for_each_other_in_order(ao: Local) -> None:
    await ao.deploy("holds", {"agent.py": HOLDS}, toml=FUNCTION)
    runs = [await ao.submit("holds", str(number), session="s") for number in range(4)]
    results = [await ao.result(run_id) for run_id in runs]
    assert await ao.output(results[-1]) == ["0", "0!", "1", "1!", "2", "2!", "3", "3!"]
    for before, after in pairwise(results):
        assert (after.started_us or 0) >= (before.finished_us or 0)


@pytest.mark.parametrize(("overlap", "left"), [("interrupt", ["long", "b", "b!"]), ("rollback", ["b", "b!"])])
async def test_a_new_run_cancels_the_one_that_is_running(cold: Local, overlap: str, left: list[str]) -> None:
    await cold.deploy("holds", {"agent.py": HOLDS}, toml=FUNCTION)
    long = await cold.submit("holds", "long", session="s")
    await cold.until_line(long, "begun long")
    with pytest.raises(SessionBusy):
        await cold.submit("holds", "a", session="s", on_overlap="reject")
    run = await cold.run("holds", "b", session="s", on_overlap=overlap)
    assert (await cold.result(long)).head.state is RunState.CANCELLED
    assert run.head.state is RunState.COMPLETED
    assert await said(cold, "holds") == left


async def test_a_fork_has_a_session_of_its_own(cold: Local) -> None:
    await cold.deploy("holds", {"agent.py": HOLDS}, toml=FUNCTION)
    await cold.run("holds", "a", session="s")
    second = await cold.run("holds", "b", session="s")
    await cold.run("holds", "c", session="s")
    with pytest.raises(NotFound):
        await cold.platform.services.replays.fork(second.id, "begin", 99, "key:test")
    assert len(await cold.platform.store.sessions.list(SessionFilter(), 10)) == 1
    fork = await cold.platform.services.replays.fork(second.id, "begin", None, "key:test")
    done = await cold.result(fork.run.id)
    assert done.session not in (None, "s")
    assert await cold.output(done) == ["a", "a!", "b", "b!"]
    assert await said(cold, "holds", str(done.session)) == ["a", "a!", "b", "b!"]
    assert len(await said(cold, "holds")) == 6


async def test_a_fork_takes_no_other_session_for_the_one_that_its_run_had(cold: Local) -> None:
    await cold.deploy("holds", {"agent.py": HOLDS}, toml=FUNCTION)
    old = await cold.run("holds", "a", session="s")
    sessions, key = cold.platform.services.sessions, SessionKey("holds", "s")
    await sessions.delete(key, False, "key:test")
    for _ in range(2):  # while there is none, and while there is one of the same name
        with pytest.raises(Conflict, match="is not kept any more") as caught:
            await cold.platform.services.replays.fork(old.id, "begin", None, "key:test")
        assert f"ao dlq replay {old.id} --from-start" in caught.value.hint
        await cold.run("holds", "b", session="s")
    assert len(await cold.platform.store.sessions.list(SessionFilter(), 10)) == 1


LEAVES = """
from ao_runner import Permanent, session, step
def leave():
    (session.workspace / "note").write_text("left")
    session.add("user", "left")
def work(task):
    step.run("leave", leave)
    raise Permanent((session.workspace / "note").read_text())
"""


async def test_a_replay_puts_nothing_into_a_session_that_is_not_the_one_of_its_steps(cold: Local) -> None:
    await cold.deploy("leaves", {"agent.py": LEAVES}, toml=FUNCTION)
    old = await cold.run("leaves", session="s")
    replays, sessions = cold.platform.services.replays, cold.platform.services.sessions
    again = await replays.replay(old.id, scratch=False, version=None, actor="key:test")
    assert "left" in str((await cold.result(again.run.id)).error)
    await sessions.delete(SessionKey("leaves", "s"), False, "key:test")
    for _ in range(2):  # while there is none, and while there is one of the same name
        with pytest.raises(Conflict, match="was deleted, with what recorded steps have left in it"):
            await replays.replay(old.id, scratch=False, version=None, actor="key:test")
        anew = await replays.replay(old.id, scratch=True, version=None, actor="key:test")
        assert "left" in str((await cold.result(anew.run.id)).error)
    fresh = await replays.replay(anew.run.id, scratch=False, version=None, actor="key:test")
    assert fresh.run.session == "s"


async def test_a_template_forgets_the_session_that_a_run_had(ao: Local) -> None:
    source = CHAT.replace("def work", "len(session.messages)\n\ndef work")
    await ao.deploy("warm", {"agent.py": source}, toml=FUNCTION)
    for number, id in enumerate("abab"):
        output = await ao.output(await ao.run("warm", str(number), session=id))
        assert isinstance(output, dict)
        assert (output["id"], output["seqs"]) == (id, [1, 2] if number < 2 else [1, 2, 3, 4])
