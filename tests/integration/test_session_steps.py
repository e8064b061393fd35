"""Sessions and steps: files that steps leave, and how much a step and a run may add."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import JsonValue
from tests.local import Local, local_platform

from ao.domain.run import RunState
from ao.domain.session import KEPT_VERSIONS
from ao.store.sessions import SessionKey

FUNCTION = 'entrypoint = "agent:work"\n[retries]\nmax_retries = 2\ninitial_delay = "10ms"\njitter = false\n'


@pytest.fixture
async def ao(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_WARM": "off"}) as local:
        yield local


KILLED = """
import os, signal
from ao_runner import session, step

root = session.workspace

def one():
    (root / "one").write_text("1")

def two():
    (root / "one").write_text("2")
    (root / "two").write_text("2")

def die(at):
    if os.environ["AO_ATTEMPT"] == str(at):
        os.kill(os.getpid(), signal.SIGKILL)

def work(task):
    found = sorted(path.name for path in root.iterdir())
    step.run("one", one)
    die(1)
    step.run("two", two)
    (root / "stray").write_text("of no step")
    die(2)
    (root / "stray").unlink()
    return [found, {path.name: path.read_text() for path in sorted(root.iterdir())}]
"""


async def test_after_a_kill_the_workspace_is_what_the_recorded_steps_left(ao: Local) -> None:
    await ao.deploy("killed", {"agent.py": KILLED}, toml=FUNCTION)
    run = await ao.run("killed", None, session="s")
    assert run.head.attempt == 3
    assert await ao.output(run) == [["one", "two"], {"one": "2", "two": "2"}]
    versions = await ao.platform.store.sessions.history(SessionKey("killed", "s"), None, 10)
    assert [(each.step, list(each.changed)) for each in versions] == [
        ("two", ["workspace"]),
        ("one", ["workspace"]),
        ("", []),
    ]


MANY = """
from ao_runner import session, step
def count(number):
    (session.workspace / "at").write_text(str(number))
def work(task):
    at = session.workspace / "at"
    found = at.read_text() if at.exists() else None
    for number in range(task):
        step.run("count", count, number, key=number)
    return found
"""


async def test_a_fork_finds_the_files_of_a_step_behind_many_versions(ao: Local) -> None:
    steps = KEPT_VERSIONS + 10
    await ao.deploy("counts", {"agent.py": MANY}, toml=FUNCTION)
    done = await ao.run("counts", steps, session="s")
    assert await ao.output(done) is None
    made = await ao.platform.services.replays.fork(done.id, "count[5]", None, "key:test")
    assert await ao.output(await ao.result(made.run.id)) == "4"


async def test_a_fork_begins_with_the_files_of_the_steps_that_it_takes_over(ao: Local) -> None:
    await ao.deploy("killed", {"agent.py": KILLED.replace("os.kill(", "print(")}, toml=FUNCTION)
    done = await ao.run("killed", None, session="s")
    assert await ao.output(done) == [[], {"one": "2", "two": "2"}]
    for step, found in (("one", []), ("two", ["one"])):
        made = await ao.platform.services.replays.fork(done.id, step, None, "key:test")
        assert await ao.output(await ao.result(made.run.id)) == [found, {"one": "2", "two": "2"}]


FAILS = """
from ao_runner import Permanent, session, step
def leave():
    (session.workspace / "left").write_text("1")
def look():
    raise Permanent(str(sorted(path.name for path in session.workspace.iterdir())))
def work(task):
    step.run("leave", leave)
    step.run("look", look)
"""


async def test_so_does_a_fork_of_a_replay_with_those_of_the_run_before(ao: Local) -> None:
    await ao.deploy("fails", {"agent.py": FAILS}, toml=FUNCTION)
    run, replays = await ao.run("fails", None, session="s"), ao.platform.services.replays
    for _ in range(2):
        made = await replays.replay(run.id, scratch=False, version=None, actor="key:test")
        run = await ao.result(made.run.id)
    forked = await ao.result((await replays.fork(run.id, "look", None, "key:test")).run.id)
    assert "['left']" in str(forked.error)
    anew = await ao.result((await replays.fork(run.id, "leave", None, "key:test")).run.id)
    assert "['left']" in str(anew.error)
    assert run.session_base == 1


AT_ONCE = """
import os, signal, threading
from ao_runner import session, step

root = session.workspace
writing, end = threading.Event(), threading.Event()

def busy():
    with (root / "busy").open("wb") as file:
        while not end.is_set():
            file.seek(0)
            file.write(os.urandom(3 << 20))
            writing.set()
    return 1

def quick(name):
    (root / name).write_text(name)

def work(task):
    other = threading.Thread(target=lambda: step.run("busy", busy, key="busy"))
    if os.environ["AO_ATTEMPT"] == "1":
        other.start()
        writing.wait()
        try:
            step.run("quick", quick, "quick", key="quick")
        except ValueError as error:
            return str(error)
        finally:
            end.set()
        other.join()
        os.kill(os.getpid(), signal.SIGKILL)
    return sorted(path.name for path in root.iterdir())
"""


async def test_a_step_ends_while_another_one_writes(ao: Local) -> None:
    """A file that never stays as it is long enough to be read is the only one that is in the way, and named."""
    await ao.deploy("both", {"agent.py": AT_ONCE}, toml=FUNCTION)
    output = await ao.output(await ao.run("both", None, session="s"))
    named = "the workspace cannot be kept: 'busy' has changed while it was read"
    assert output == ["busy", "quick"] or str(output).startswith(named)


ADDS = """
import os
from ao_runner import session, step

def add(count):
    for number in range(count):
        session.add("user", "x" * ((1 << 20) - 2))

def work(task):
    for number in range(task["steps"]):
        step.run("add", add, task["each"])
    add(task["outside"])
    if os.environ["AO_ATTEMPT"] == "1" and task["again"]:
        raise ValueError("not yet")
    return len(session.messages)
"""


async def test_a_long_conversation_of_one_run_goes_through_frames_of_any_number(ao: Local) -> None:
    await ao.deploy("adds", {"agent.py": ADDS}, toml=FUNCTION)
    task: JsonValue = {"steps": 10, "each": 4, "outside": 24, "again": True}
    run = await ao.run("adds", task, session="s")
    assert (run.head.state, run.head.attempt) == (RunState.COMPLETED, 2), run.error
    assert await ao.output(run) == 64
    assert (await ao.platform.store.sessions.get(SessionKey("adds", "s"))).messages == 64


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (
            {"steps": 1, "each": 9, "outside": 0},
            "that this step adds to the session are 9437184 bytes; at most 8388608",
        ),
        (
            {"steps": 0, "each": 0, "outside": 65},
            "that this run adds to the session are 68157440 bytes; at most 67108864",
        ),
        (
            {"steps": 9, "each": 8, "outside": 0},
            "that this run adds to the session are 68157440 bytes; at most 67108864",
        ),
    ],
)
async def test_what_is_too_much_is_refused_at_once_with_its_size(
    ao: Local, task: dict[str, JsonValue], words: str
) -> None:
    await ao.deploy("adds", {"agent.py": ADDS}, toml=FUNCTION)
    run = await ao.run("adds", {**task, "again": False}, session="s")
    assert run.error is not None
    assert (run.head.state, run.head.attempt, run.error.type) == (RunState.FAILED, 1, "Refused"), run.error
    assert words in run.error.message
    assert "keep what is large in session.workspace" in run.error.message


UNSTORABLE = {
    "object": "return object()",
    "nan": "return float('nan')",
    "surrogate": "return step.run('s', lambda: '\\ud800')",
}


async def test_what_can_never_be_stored_is_not_tried_again(ao: Local) -> None:
    lines = "".join(f"    if task == {name!r}: {code}\n" for name, code in UNSTORABLE.items())
    await ao.deploy("bad", {"agent.py": f"from ao_runner import step\ndef work(task):\n{lines}"}, toml=FUNCTION)
    await ao.deploy("file", {"run.sh": "echo nonsense > $AO_OUTPUT"}, toml='command = ["sh", "run.sh"]')
    state = 'echo nonsense > "$AO_SESSION_STATE"'
    await ao.deploy("state", {"run.sh": state}, toml='command = ["sh", "run.sh"]')
    runs = [await ao.run("bad", name) for name in UNSTORABLE]
    runs += [await ao.run("file"), await ao.run("state", session="s")]
    for run, kind in zip(
        runs,
        ["InvalidResult", "InvalidResult", "StepUnstorable", "InvalidOutput", "InvalidSession"],
        strict=True,
    ):
        assert run.error is not None
        assert (run.head.state, run.head.attempt, run.error.type) == (RunState.FAILED, 1, kind), run.error


MANY_AT_ONCE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from ao_runner import session, step

sys.setswitchinterval(1e-6)

def add(number):
    session.add("tool", number)
    session.state[str(number)] = number

def work(task):
    with ThreadPoolExecutor(task["at_once"]) as pool:
        list(pool.map(lambda number: step.run("add", add, number, key=number), range(task["steps"])))
"""


async def test_steps_that_end_together_take_back_nothing_of_each_other(ao: Local) -> None:
    await ao.deploy("many", {"agent.py": MANY_AT_ONCE}, toml=FUNCTION)
    task: JsonValue = {"at_once": 16, "steps": 500}
    run = await ao.run("many", task, session="s")
    assert run.head.state is RunState.COMPLETED, run.error
    assert (await ao.platform.store.sessions.get(SessionKey("many", "s"))).messages == 500
