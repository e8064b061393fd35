"""The retry policy of real agents: what is permanent ends the run at once, in steps, too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.local import Local, local_platform

from ao.domain.run import RunState
from ao.domain.tracebacks import place_of
from ao.store.records import Run

RETRIES = """
[retries]
initial_delay = "10ms"
jitter = false
permanent = ["ValueError", "exit:2", "signal:SIGSEGV"]
transient = ["json.JSONDecodeError"]
"""
FUNCTION = f'entrypoint = "agent:work"\n{RETRIES}'

RAISES = """
import json, os, signal, sys
from ao_runner import Permanent, Retry, step

class Refused(ValueError):
    pass

def tried():
    print("tried")
    raise Refused("it is no use")

def work(task):
    print("attempt")
    if int(os.environ["AO_ATTEMPT"]) > 1:
        return "again"
    if task == "json":
        json.loads("{")
    if task == "step":
        step.run("refused", tried, retries=5)
    if task == "retry":
        raise Retry("later", after=0.01)
    if task == "permanent":
        raise Permanent("never")
    if task == "exit":
        sys.exit(2)
    if task == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    raise {"key": KeyError, "refused": Refused}[task]("x")
"""


@pytest.fixture
async def ao(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_HEARTBEAT_SECONDS": "0.2"}) as local:
        yield local


async def test_permanent_errors_end_a_run_and_others_are_tried_again(ao: Local) -> None:
    await ao.deploy("raises", {"agent.py": RAISES}, toml=FUNCTION)
    for task in ("key", "json", "retry"):
        run = await ao.run("raises", task)
        assert (run.head.state, run.head.attempt) == (RunState.COMPLETED, 2), task
    for task, hint in {
        "refused": "not tried again: `[retries] permanent` has ValueError",
        "step": "not tried again: `[retries] permanent` has ValueError",
        "permanent": "",
        "exit": "not tried again: `[retries] permanent` has exit:2",
        "segv": "not tried again: `[retries] permanent` has signal:SIGSEGV",
    }.items():
        run = await ao.run("raises", task)
        assert (run.head.state, run.head.attempt) == (RunState.FAILED, 1), task
        assert run.error is not None
        assert run.error.hint == hint, task
        assert await reason(ao, run) == "permanent_error"
    assert (await ao.lines((await ao.run("raises", "step")).id)).count("tried") == 1


TOGETHER = """
import asyncio, os
from ao_runner import Permanent, Retry, step

class Refused(ValueError):
    pass

async def fails(error):
    raise error

async def work(task):
    if int(os.environ["AO_ATTEMPT"]) > 1:
        return "again"
    errors = {"permanent": Permanent("never"), "rule": Refused("no use"), "retry": Retry("later", after=0.01)}
    async with asyncio.TaskGroup() as group:
        for name in ("key", *task):
            error = errors.get(name) or KeyError("k")
            group.create_task(step.run(name, fails, error, key=name))
"""


@pytest.mark.parametrize(
    ("task", "state", "error", "at"),
    [
        (["permanent"], "failed", "ao_runner.Permanent: never (and 1 more)", "permanent[permanent]"),
        (["retry", "rule"], "failed", "agent.Refused: no use (and 2 more)", "rule[rule]"),
        (["retry"], "completed", "ao_runner.Retry: later (and 1 more)", "retry[retry]"),
        ([], "completed", "KeyError: 'k'", "key[key]"),
    ],
)
async def test_of_errors_that_come_together_the_one_that_decides_is_told(
    ao: Local, task: list[str], state: str, error: str, at: str
) -> None:
    await ao.deploy("together", {"agent.py": TOGETHER}, toml=FUNCTION)
    run = await ao.run("together", [*task])
    first = (await ao.platform.store.runs.attempts(run.id))[0]
    assert (run.head.state, run.head.attempt) == (state, 1 if state == "failed" else 2)
    assert first.error is not None
    assert (first.error.message, first.error.step) == (error, at)
    assert place_of(first.error.traceback).startswith("agent.py:")


async def test_a_command_tells_by_its_exit_status_whether_to_try_again(ao: Local) -> None:
    toml = f'command = ["sh", "-c", "exit $AGENT_INPUT"]\n{RETRIES}max_retries = 1\n'
    await ao.deploy("shell", {}, toml=toml)
    for status, attempts in ((2, 1), (3, 2)):
        run = await ao.run("shell", status)
        assert (run.head.state, run.head.attempt) == (RunState.FAILED, attempts)


async def reason(ao: Local, run: Run) -> object:
    return (await ao.events(run.id))[-1].data["reason"]


async def test_a_run_that_no_worker_takes_in_time_is_cancelled_and_told(tmp_path: Path) -> None:
    async with local_platform(tmp_path, worker=False) as idle:
        await idle.deploy(
            "late", {"agent.py": RAISES}, toml='entrypoint = "agent:work"\nqueue_timeout = "50ms"'
        )
        run = await idle.run("late")
    assert run.error is not None
    assert (run.head.state, run.head.attempt) == (RunState.CANCELLED, 0)
    assert run.error.message == "no worker took it within its queue_timeout"
