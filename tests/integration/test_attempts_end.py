"""Whatever a sandbox, its supervisor or the store does, an attempt comes to its end, once."""

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.local import ACTOR, Local, local_platform
from tests.platform import children_of
from tests.served import until

from ao.build.releases import remove_tree
from ao.domain.deployment import DeploymentStatus
from ao.domain.outcome import OutcomeKind
from ao.domain.run import RunState
from ao.sandbox import StopCause
from ao.worker import attempt
from ao.worker.report import Reporter

FUNCTION = 'entrypoint = "agent:work"'
SLEEPS_ONCE = """
import os, time
def work(task):
    print("on", flush=True)
    time.sleep(600 if os.environ["AO_ATTEMPT"] == "1" else 0)
    return "done"
"""


@pytest.fixture
async def ao(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_HEARTBEAT_SECONDS": "0.2"}) as local:
        yield local


async def until_replaced(supervisor: int) -> None:
    async def replaced() -> bool:
        return supervisor not in children_of(os.getpid())

    await until(replaced)


async def test_a_cancel_that_the_supervisor_does_not_hear_ends_the_run(
    ao: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "STOP_SECONDS", 0.3)
    await ao.deploy("deaf", {"agent.py": SLEEPS_ONCE}, toml=FUNCTION)
    run_id = await ao.submit("deaf")
    await ao.until_line(run_id, "on")
    (stopped,) = ao.supervisors()
    os.kill(stopped, signal.SIGSTOP)
    await ao.platform.services.runs.cancel(run_id, ACTOR)
    assert (await ao.result(run_id)).head.state is RunState.CANCELLED
    await until_replaced(stopped)


async def test_a_timeout_that_the_supervisor_does_not_hear_costs_one_attempt(
    ao: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "STOP_SECONDS", 0.3)
    await ao.deploy("late", {"agent.py": SLEEPS_ONCE}, toml=f"{FUNCTION}\nretries = 0")
    run_id = await ao.submit("late")
    await ao.until_line(run_id, "on")
    os.kill(ao.supervisors()[0], signal.SIGSTOP)
    ((late, _),) = ao.worker._attempts.values()
    late.stop(StopCause.TIMEOUT)
    run = await ao.result(run_id)
    assert await ao.output(run) == "done"
    assert (run.head.attempt, run.head.failures, run.head.losses) == (2, 0, 1)


async def test_a_start_that_the_supervisor_does_not_hear_is_not_the_agents_failure(
    ao: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "START_SECONDS", 1.0)
    await ao.deploy("begun", {"agent.py": "def work(task): return 'done'"}, toml=f"{FUNCTION}\nretries = 0")
    (stopped,) = ao.supervisors()
    os.kill(stopped, signal.SIGSTOP)
    run_id = await ao.submit("begun")
    await until_replaced(stopped)
    monkeypatch.undo()  # on a busy host the next start may take as long
    run = await ao.result(run_id)
    assert await ao.output(run) == "done"
    assert run.head.failures == 0
    assert run.head.losses >= 1


async def test_a_lease_that_is_lost_while_an_attempt_is_reported_costs_no_supervisor(
    ao: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "STOP_SECONDS", 0.3)
    reporting, may_report, finish = asyncio.Event(), asyncio.Event(), Reporter.finish

    async def late(reporter: Reporter, *report: Any) -> None:
        reporting.set()
        await may_report.wait()
        await finish(reporter, *report)

    monkeypatch.setattr(Reporter, "finish", late)
    await ao.deploy("reported", {"agent.py": "def work(task): return task"}, toml=FUNCTION)
    supervisors = ao.supervisors()
    run_id = await ao.submit("reported", 1)
    await reporting.wait()
    ((ending, _),) = ao.worker._attempts.values()
    ending.stop(StopCause.LEASE)
    await asyncio.sleep(3 * attempt.STOP_SECONDS)
    may_report.set()
    assert await ao.output(await ao.result(run_id)) == 1
    assert ao.supervisors() == supervisors


async def test_a_run_can_be_cancelled_while_its_environment_is_being_made(ao: Local, tmp_path: Path) -> None:
    built = await ao.deploy("waits", {"agent.py": "def work(task): return 1"}, toml=FUNCTION)
    assert built.release is not None
    environments = tmp_path / "home" / "envs"
    remove_tree(environments / built.release.env_key)
    with (environments / f"{built.release.env_key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process is at it, and takes its time
        run_id = await ao.submit("waits")
        await ao.until_state(run_id, RunState.RUNNING)
        await ao.platform.services.runs.cancel(run_id, ACTOR)
        run = await ao.result(run_id)
    assert (run.head.state, run.error and run.error.kind) == (RunState.CANCELLED, OutcomeKind.CANCELLED)
    assert await ao.output(await ao.run("waits")) == 1


async def test_a_claim_whose_answer_was_lost_is_given_back(tmp_path: Path) -> None:
    settings = {"AO_SLOTS": "1", "AO_HEARTBEAT_SECONDS": "0.1"}
    async with local_platform(tmp_path, settings) as ao:
        await ao.deploy("stray", {"agent.py": "import time\ndef work(task): time.sleep(task)"}, toml=FUNCTION)
        holder = await ao.submit("stray", 600)
        await ao.until_state(holder, RunState.RUNNING)
        second = await ao.submit("stray", 0)
        (worker,) = await ao.platform.store.workers.list()
        (claim,) = await ao.platform.store.runs.claim(worker.id, 1)  # as if the worker had not heard of it
        assert claim.run_id == second
        await ao.until_state(second, RunState.PENDING)
        await ao.platform.services.runs.cancel(holder, ACTOR)
        run = await ao.result(second)
        assert (run.head.state, run.head.attempt, run.head.losses) == (RunState.COMPLETED, 2, 1)


async def test_what_no_database_takes_does_not_keep_a_run_from_its_end(ao: Local) -> None:
    code = """
import ao_runner
def work(task):
    if task == "result":
        return {"\\ud800": ["half \\ud800", 1.5, True]}
    raise ao_runner.Retry("\\ud800 \\0", after=1e300)
"""
    await ao.deploy("odd", {"agent.py": code}, toml=f"{FUNCTION}\nretries = 1")
    assert await ao.output(await ao.run("odd", "result")) == {"\ufffd": ["half \ufffd", 1.5, True]}
    run_id = await ao.submit("odd", "error")
    run = await ao.until_state(run_id, RunState.PENDING, attempt=1)
    assert run.due_us is not None
    assert run.due_us > run.created_us + 86_400 * 1_000_000
    assert run.error is not None
    assert "Retry" in run.error.message
    await ao.platform.services.runs.cancel(run_id, ACTOR)


async def test_an_input_that_is_too_large_for_the_environment_arrives_whole(ao: Local) -> None:
    await ao.deploy("big", {"agent.py": "def work(task): return [len(task), task[-1]]"}, toml=FUNCTION)
    for size in (96 * 1024 - 2, 96 * 1024 - 1, 1_000_000):
        assert await ao.output(await ao.run("big", "é" * (size - 1) + "!")) == [size, "!"]


async def test_partial_outputs_errors_and_cut_lines_hold_no_secret(ao: Local) -> None:
    code = """
import os
def work(task):
    token = os.environ["API_TOKEN"]
    print("x" * (256 * 1024 - 6) + token)
    yield {"token": [token]}
    raise ValueError(token)
"""
    secret = 'correct "horse"\nbattery'
    await ao.platform.services.secrets.set("leaky", "API_TOKEN", secret, ACTOR)
    await ao.deploy("leaky", {"agent.py": code}, toml=f'{FUNCTION}\nsecrets = ["API_TOKEN"]\nretries = 0')
    run = await ao.run("leaky")
    everything = repr(await ao.events(run.id)) + repr(run) + repr(await ao.platform.store.runs.attempts(run.id))
    for part in ("correct", "horse", "battery"):
        assert part not in everything
    assert run.error is not None
    assert "[secret]" in run.error.message


async def test_a_build_that_is_in_progress_when_the_server_stops_is_failed(tmp_path: Path) -> None:
    code = {"agent.py": "def work(task): return 1"}
    async with local_platform(tmp_path) as ao:
        built = await ao.deploy("cut", code, toml=FUNCTION)
        assert built.release is not None
        environments = tmp_path / "home" / "envs"
        remove_tree(environments / built.release.env_key)
        with (environments / f"{built.release.env_key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            deploying = asyncio.create_task(ao.try_deploy("cut", code, toml=FUNCTION))
            while len(await ao.platform.deployments.list("cut", None, 10)) < 2:  # noqa: ASYNC110 - no hint
                await asyncio.sleep(0)
            await ao.platform.deployments.close()
            cut = await deploying
    assert (cut.version, cut.status) == (2, DeploymentStatus.FAILED)
    assert cut.error == "the server stopped during the build"
