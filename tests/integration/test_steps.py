"""Steps of real agents in real sandboxes: recorded once, answered from the record ever after."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.local import Local, local_platform
from tests.platform import descendants_of
from tests.served import until

from ao.domain.event import EventKind
from ao.domain.outcome import OutcomeKind
from ao.domain.run import Reason, RunState
from ao.domain.step import Step, StepKind, StepState
from ao.ids import RunId

FUNCTION = 'entrypoint = "agent:work"\n[retries]\ninitial_delay = "10ms"\njitter = false\n'


@pytest.fixture(params=["warm", "cold"])
async def ao(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Local]:
    variables = {"AO_HEARTBEAT_SECONDS": "0.2", "AO_WARM": "on" if request.param == "warm" else "off"}
    async with local_platform(tmp_path, variables) as local:
        yield local


@pytest.fixture
async def cold(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_HEARTBEAT_SECONDS": "0.2", "AO_WARM": "off"}) as local:
        yield local


async def steps_of(ao: Local, run_id: RunId) -> dict[str, Step]:
    return {step.path: step for step in await ao.platform.store.steps.list(run_id, 1000)}


async def printed(ao: Local, run_id: RunId, text: str) -> int:
    return (await ao.lines(run_id)).count(text)


TWICE = """
import os
from ao_runner import step, idempotency_key

@step
def fetch(url):
    print("fetched", url, idempotency_key())
    return {"url": url, "pages": (1, 2)}

def work(task):
    one = fetch("a")
    two = fetch("b")
    three = step.run("sum", lambda x, y: print("summed") or x + y, 1, y=2)
    if os.environ["AO_ATTEMPT"] in ("1", "2"):
        raise ValueError("not yet")
    return [one, two, three]
"""


async def test_a_completed_step_is_never_executed_again(ao: Local) -> None:
    await ao.deploy("twice", {"agent.py": TWICE}, toml=FUNCTION)
    run = await ao.run("twice")
    assert await ao.output(run) == [{"url": "a", "pages": [1, 2]}, {"url": "b", "pages": [1, 2]}, 3]
    lines = await ao.lines(run.id)
    assert [line.split()[:2] for line in lines] == [["fetched", "a"], ["fetched", "b"], ["summed"]]
    keys = {line.split()[2] for line in lines[:2]}
    assert len(keys) == 2
    steps = await steps_of(ao, run.id)
    assert list(steps) == ["fetch", "fetch#2", "sum"]
    assert {step.state for step in steps.values()} == {StepState.COMPLETED}
    assert {step.attempt for step in steps.values()} == {1}
    kinds = [event.kind for event in await ao.events(run.id)]
    assert kinds.count(EventKind.STEP_STARTED) == kinds.count(EventKind.STEP_COMPLETED) == 3


PARALLEL = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
from ao_runner import step, span

async def double(n):
    await asyncio.sleep(0.01)
    async with span("inside"):
        return 2 * n

def triple(n):
    return 3 * n

async def both(numbers):
    with span("tasks"):
        return await asyncio.gather(*(step.run("double", double, n, key=n) for n in numbers))

def work(numbers):
    with ThreadPoolExecutor(4) as pool:
        threads = list(pool.map(lambda n: step.run("triple", triple, n, key=f"n/{n}"), numbers))
    return [asyncio.run(both(numbers)), threads]
"""


async def test_steps_run_in_parallel_in_threads_and_tasks(ao: Local) -> None:
    await ao.deploy("parallel", {"agent.py": PARALLEL}, toml=FUNCTION)
    run = await ao.run("parallel", [1, 2, 3, 4])
    assert await ao.output(run) == [[2, 4, 6, 8], [3, 6, 9, 12]]
    steps = await steps_of(ao, run.id)
    assert {"triple[n%2F1]", "tasks", "tasks/double[4]", "tasks/double[4]/inside"} <= set(steps)
    assert steps["tasks/double[4]/inside"].parent == "tasks/double[4]"
    assert steps["tasks/double[4]/inside"].kind is StepKind.SPAN
    order = [path for path in steps if path.startswith("tasks")]
    assert order[0] == "tasks"


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (
            "asyncio.run(together())",
            "StepConflict",
            "two steps 'wait' run at the same time and cannot be told apart: give each a key",
        ),
        ("[step.run('a', int, key='k') for _ in 'ab']", "StepConflict", "two steps 'a' have the same key 'k'"),
        ("step.run('set', lambda: {'x': [set()]})", "StepUnstorable", "set.x[0] is set"),
        ("step.run('keys', lambda: [{1: 'a', '1': 'b'}])", "StepUnstorable", "keys[0] has the keys 1 and '1'"),
        ("step.run('half', lambda: '\\ud800')", "StepUnstorable", "half of a surrogate pair"),
        ("step.run('lazy', lambda: wait())", "StepUnstorable", "pass it an `async def` function itself"),
        ("step.run('deep', deep)", "StepUnstorable", "deep is nested too deeply"),
        ("step.run('late', int, timeout='1')", "Refused", "`timeout` is a number of seconds above 0"),
        ("step.run('large', lambda: 'x' * (70 << 20))", "StepUnstorable", "at most 33,554,432 are taken"),
    ],
)
async def test_what_cannot_be_recorded_fails_at_once_and_says_why(
    cold: Local, body: str, kind: str, words: str
) -> None:
    source = f"""
import asyncio
from ao_runner import step
async def wait():
    await asyncio.sleep(0.1)
async def together():
    await asyncio.gather(step.run("wait", wait), step.run("wait", wait))
def deep():
    found = []
    for _ in range(5000):
        found = [found]
    return found
def work(task):
    return {body}
"""
    await cold.deploy("refused", {"agent.py": source}, toml=FUNCTION)
    run = await cold.run("refused")
    assert run.error is not None
    assert (run.head.state, run.head.attempt, run.error.type) == (RunState.FAILED, 1, kind)
    assert words in run.error.message


RETRIES = """
from ao_runner import step, Permanent, Retry
tries = []
def flaky():
    tries.append(1)
    inner = step.run("inner", lambda: print("inner") or len(tries))
    if len(tries) < 3:
        raise Retry("soon", after=0.01)
    return [inner, len(tries)]
def never():
    raise Permanent("no such page")
def work(task):
    found = step.run("flaky", flaky, retries=2)
    try:
        step.run("never", never, retries=5)
    except Permanent:
        return found
"""


async def test_a_step_is_tried_again_within_the_attempt(ao: Local) -> None:
    await ao.deploy("flaky", {"agent.py": RETRIES}, toml=FUNCTION)
    run = await ao.run("flaky")
    assert await ao.output(run) == [1, 3]
    assert await printed(ao, run.id, "inner") == 1
    retried = [event.data for event in await ao.events(run.id) if event.kind is EventKind.STEP_RETRIED]
    assert [(data["path"], data["try"]) for data in retried] == [("flaky", 1), ("flaky", 2)]
    steps = await steps_of(ao, run.id)
    assert (steps["never"].state, steps["flaky/inner"].parent) == (StepState.FAILED, "flaky")
    error = steps["never"].error
    assert error is not None
    assert error.message == "Permanent: no such page"


FAILS = """
from ao_runner import step, span
def fetch(url):
    raise ConnectionError(f"no answer from {url}")
def work(task):
    with span("collect"):
        try:
            step.run("fetch", fetch, "x")
        except ConnectionError as error:
            raise RuntimeError("cannot go on") from error
"""


async def test_the_failing_step_and_its_trace_are_on_the_run(cold: Local) -> None:
    await cold.deploy("fails", {"agent.py": FAILS}, toml=f"retries = 0\n{FUNCTION}".partition("[")[0])
    run = await cold.run("fails")
    assert run.error is not None
    assert (run.error.step, run.error.type) == ("collect/fetch", "RuntimeError")
    assert "no answer from x" in run.error.traceback
    steps = await steps_of(cold, run.id)
    assert {step.state for step in steps.values()} == {StepState.FAILED}


SLOW = """
import asyncio, os, time
from ao_runner import Retry, StepTimeout, step
async def slow():
    await asyncio.sleep(600)
async def asynchronous():
    try:
        await step.run("await", slow, timeout=0.05)
    except StepTimeout as error:
        return str(error)
async def blocking():
    sleeps()
def sleeps():
    time.sleep(600 if os.environ["AO_ATTEMPT"] == "1" else 0)
tries = []
def twice():
    tries.append(1)
    time.sleep(1.5)
    if len(tries) < 2:
        raise Retry("once more", after=0.01)
    return len(tries)
def work(task):
    if task == "async":
        return asyncio.run(asynchronous())
    if task == "twice":
        return step.run("twice", twice, timeout=2.8, retries=1)
    if task == "blocking":
        return asyncio.run(step.run("sleeps", blocking, timeout=0.3))
    return step.run("sleeps", sleeps, timeout=task)
"""


async def test_a_step_that_takes_too_long_is_cancelled_or_costs_the_attempt(cold: Local) -> None:
    await cold.deploy("slow", {"agent.py": SLOW}, toml=f'step_timeout = "1h"\n{FUNCTION}')
    run = await cold.run("slow", "async")
    assert await cold.output(run) == "step 'await' took longer than its timeout of 0.05 s"
    run = await cold.run("slow", "twice")  # each try has its own time
    assert (await cold.output(run), run.head.attempt) == (2, 1)
    for task in (0.3, "blocking"):
        run = await cold.run("slow", task)
        assert await cold.output(run) is None
        first = (await cold.platform.store.runs.attempts(run.id))[0]
        assert first.error is not None
        assert (first.kind, first.error.step) == (OutcomeKind.TIMEOUT, "sleeps")
        assert first.error.message == "step 'sleeps' took longer than its timeout of 0.3 s"


MANY = """
import os
from ao_runner import step
def work(count):
    big = step.run("big", lambda: print("big") or "x" * (200 << 10))
    together = "".join(step.run("part", lambda: "x" * (50 << 10)) for _ in range(30))
    total = sum(step.run("n", lambda n: n, n) for n in range(count))
    if os.environ["AO_ATTEMPT"] == "1":
        os._exit(3)
    return [len(big), len(together), total]
"""


@pytest.mark.parametrize("count", [3, 1100])
async def test_results_of_any_size_and_number_come_back_from_the_store(cold: Local, count: int) -> None:
    await cold.deploy("many", {"agent.py": MANY}, toml=FUNCTION)
    run = await cold.run("many", count)
    assert await cold.output(run) == [200 << 10, 30 * (50 << 10), sum(range(count))]
    assert await printed(cold, run.id, "big") == 1
    steps = await cold.platform.store.steps.list(run.id, 5000)
    assert len(steps) == 31 + count
    assert {step.attempt for step in steps} == {1}
    assert steps[0].value_blob is not None


async def test_a_run_without_steps_has_no_thread_and_no_record_of_any(cold: Local) -> None:
    source = "import os\ndef work(task): return len(os.listdir('/proc/self/task'))"
    await cold.deploy("plain", {"agent.py": source}, toml=FUNCTION)
    run = await cold.run("plain")
    assert await cold.output(run) == 1
    assert await steps_of(cold, run.id) == {}


FORKS = """
import os
from ao_runner import step
def work(task):
    step.run("parent", int)
    pid = os.fork()
    if pid == 0:
        try:
            step.run("child", int)
        except RuntimeError as error:
            print(error, flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    return step.run("after", int)
"""


async def test_a_fork_of_the_agent_cannot_speak_for_it(cold: Local) -> None:
    await cold.deploy("forks", {"agent.py": FORKS}, toml=FUNCTION)
    run = await cold.run("forks")
    assert await cold.output(run) == 0
    assert await printed(cold, run.id, "steps belong to the agent's own process, and this is a fork of it") == 1


NONSENSE = """
import json, os, struct, time
def work(task):
    text = json.dumps(task).encode()
    os.write(3, struct.pack(">I", len(text)) + text)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "message",
    [
        {"type": "step", "path": "a", "name": 5, "kind": "step"},
        {"type": "step", "path": "a", "name": "a", "kind": "party"},
        {"type": "step", "path": "a\0", "name": "a", "kind": "step"},
        {"type": "step", "path": "a" * 2000, "name": "a", "kind": "step"},
        {"type": "step_end", "path": "never begun", "value": 1},
        {"type": "lookup"},
    ],
)
async def test_nonsense_about_steps_ends_the_attempt(cold: Local, message: dict[str, object]) -> None:
    await cold.deploy("nonsense", {"agent.py": NONSENSE}, toml="retries = 0\n" + FUNCTION.partition("[")[0])
    run = await cold.run("nonsense", message)  # type: ignore[arg-type]
    assert run.error is not None
    assert run.error.kind is OutcomeKind.LIMIT
    assert "something else than its protocol: a step" in run.error.message

    async def no_process_is_left() -> bool:
        return descendants_of(cold.supervisors()[0]) == []

    await until(no_process_is_left)
    assert await cold.platform.store.steps.list(run.id, 10) == []


async def test_a_worker_change_keeps_what_is_recorded(cold: Local) -> None:
    source = """
import os, time
from ao_runner import step
def work(task):
    step.run("first", lambda: print("first", flush=True))
    print("ready", flush=True)
    time.sleep(600 if os.environ["AO_ATTEMPT"] == "1" else 0)
    return step.run("second", lambda: "ok")
"""
    await cold.deploy("moves", {"agent.py": source}, toml=FUNCTION)
    run_id = await cold.submit("moves")
    await cold.until_line(run_id, "ready")
    (worker,) = await cold.platform.store.workers.list()
    await cold.platform.store.workers.retire(worker.id)  # its lease ends
    run = await cold.result(run_id)
    assert await cold.output(run) == "ok"
    assert await printed(cold, run_id, "first") == 1
    reasons = [e.data["reason"] for e in await cold.events(run_id) if e.kind is EventKind.STATE]
    assert Reason.LOST in reasons


async def test_a_record_that_is_gone_fails_the_run_and_hangs_nobody(cold: Local, tmp_path: Path) -> None:
    source = """
import os, time
from ao_runner import step
def work(task):
    step.run("large", lambda: "x" * (200 << 10))
    print("kept", flush=True)
    time.sleep(600)
"""
    await cold.deploy("robbed", {"agent.py": source}, toml=FUNCTION)
    run_id = await cold.submit("robbed")
    await cold.until_line(run_id, "kept")
    (step,) = (await steps_of(cold, run_id)).values()
    assert step.value_blob is not None
    (tmp_path / "home/blobs/blobs/sha256" / step.value_blob.removeprefix("sha256:")).unlink()
    (worker,) = await cold.platform.store.workers.list()
    await cold.platform.store.workers.retire(worker.id)  # its lease ends
    run = await cold.result(run_id)
    assert run.error is not None
    assert "internal error of AO: NotFound(" in run.error.message
