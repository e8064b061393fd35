"""Runs from acceptance to their end, on a real store, supervisor and sandboxes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.local import ACTOR, WAIT_SECONDS, Local, local_platform
from tests.platform import descendants_of, processes_mentioning, until

from ao.bus import READY
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import Conflict, IdempotencyConflict, InvalidInput
from ao.domain.event import EventKind
from ao.domain.outcome import OutcomeKind
from ao.domain.run import RunState
from ao.ids import RunId
from ao.store.records import RunFilter
from ao.wire.schemas import RunCreate

FUNCTION = 'entrypoint = "agent:work"'
QUICK_RETRIES = "retries = { max_retries = 2, initial_delay = 0.05, jitter = false }"
NO_SUCH_PACKAGE = "no-such-package-anywhere==99.9\n"


@pytest.fixture
async def ao(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path) as local:
        yield local


async def test_a_function_gets_its_input_and_its_result_comes_back(ao: Local) -> None:
    await ao.deploy("sum", {"agent.py": "def work(task): return sum(task)"}, toml=FUNCTION)
    assert await ao.output(await ao.run("sum", [1, 2, 3])) == 6


async def test_a_failed_attempt_is_retried_and_sees_the_error_before(ao: Local) -> None:
    code = """
import os
def work(task):
    if os.environ["AO_ATTEMPT"] == "1":
        raise ValueError("not yet")
    return os.environ["AO_LAST_ERROR"]
"""
    await ao.deploy("again", {"agent.py": code}, toml=f"{FUNCTION}\n{QUICK_RETRIES}")
    run = await ao.run("again")
    assert await ao.output(run) == "ValueError: not yet"
    assert (run.head.attempt, run.head.failures) == (2, 1)


async def test_exhausted_retries_end_in_failed_with_the_last_traceback(ao: Local) -> None:
    code = "def work(task):\n    return {}['missing']\n"
    await ao.deploy("broken", {"agent.py": code}, toml=f"{FUNCTION}\n{QUICK_RETRIES}")
    run = await ao.run("broken")
    assert (run.head.state, run.head.attempt) == (RunState.FAILED, 3)
    assert run.error is not None
    assert run.error.type == "KeyError"
    assert "return {}['missing']" in run.error.traceback


async def test_cancelling_a_running_run_kills_its_whole_tree(ao: Local) -> None:
    code = """
import subprocess, time
def work(task):
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    print("working", flush=True)
    time.sleep(600)
"""
    await ao.deploy("long", {"agent.py": code}, toml=FUNCTION)
    run_id = await ao.submit("long")
    await ao.until_line(run_id, "working")
    await ao.platform.services.runs.cancel(run_id, ACTOR)
    run = await ao.result(run_id)
    assert (run.head.state, run.error and run.error.kind) == (RunState.CANCELLED, OutcomeKind.CANCELLED)
    (supervisor,) = ao.supervisors()
    assert not processes_mentioning("sleep").keys() & set(descendants_of(supervisor))


async def test_an_attempt_that_takes_too_long_is_a_timeout_in_words(ao: Local) -> None:
    toml = f'{FUNCTION}\ntimeout = "300ms"\nretries = 0'
    await ao.deploy("slow", {"agent.py": "import time\ndef work(task): time.sleep(60)"}, toml=toml)
    run = await ao.run("slow")
    assert run.error is not None
    assert (run.error.kind, run.error.message) == (
        OutcomeKind.TIMEOUT,
        "the attempt took longer than its timeout",
    )


async def test_partial_outputs_of_a_generator_are_events_in_order(ao: Local) -> None:
    code = "def work(task):\n    for n in range(3):\n        yield {'n': n}\n"
    await ao.deploy("parts", {"agent.py": code}, toml=FUNCTION)
    run = await ao.run("parts")
    values = [event.data["value"] for event in await ao.events(run.id) if event.kind is EventKind.OUTPUT]
    assert values == [{"n": 0}, {"n": 1}, {"n": 2}]


async def test_secrets_reach_the_agent_and_never_a_log(ao: Local) -> None:
    code = """
import os
def work(task):
    print("the key is", os.environ["API_TOKEN"])
    return len(os.environ["API_TOKEN"])
"""
    await ao.platform.services.secrets.set("keyed", "API_TOKEN", "correct-horse", ACTOR)
    await ao.deploy("keyed", {"agent.py": code}, toml=f'{FUNCTION}\nsecrets = ["API_TOKEN"]')
    run = await ao.run("keyed")
    assert await ao.output(run) == 13
    assert await ao.lines(run.id) == ["the key is [secret]"]


async def test_a_missing_secret_fails_the_run_and_names_the_command(ao: Local) -> None:
    toml = f'{FUNCTION}\nsecrets = ["API_TOKEN"]\nretries = 0'
    await ao.deploy("keyless", {"agent.py": "def work(task): pass"}, toml=toml)
    run = await ao.run("keyless")
    assert run.error is not None
    assert "API_TOKEN" in run.error.message
    assert "ao secrets set API_TOKEN" in run.error.hint


async def test_a_deploy_during_a_run_leaves_it_on_its_version(ao: Local) -> None:
    code = """
import os, time, pathlib
def work(task):
    print("started", flush=True)
    time.sleep(task)
    return [VERSION, os.environ["AO_VERSION"]]
"""
    await ao.deploy("moving", {"agent.py": f"VERSION = 1\n{code}"}, toml=FUNCTION)
    first = await ao.submit("moving", 0.5)
    await ao.until_line(first, "started")
    await ao.deploy("moving", {"agent.py": f"VERSION = 2\n{code}"}, toml=FUNCTION)
    second = await ao.submit("moving", 0)
    assert await ao.output(await ao.result(first)) == [1, "1"]
    assert await ao.output(await ao.result(second)) == [2, "2"]


async def test_a_rollback_takes_pending_runs_with_it(tmp_path: Path) -> None:
    async with local_platform(tmp_path, worker=False) as ao:
        for version in (1, 2):
            await ao.deploy("flip", {"agent.py": f"def work(task): return {version}"}, toml=FUNCTION)
        waiting = await ao.submit("flip")
        move = await ao.platform.deployments.rollback("flip", None, "v2 is bad", ACTOR)
        assert (move.frm, move.to) == (2, 1)
        ao.start_worker()
        assert await ao.output(await ao.result(waiting)) == 1


async def test_a_version_whose_runs_all_failed_is_not_what_a_rollback_goes_to(ao: Local) -> None:
    toml = f"{FUNCTION}\nretries = 0"
    for version, code in ((1, "return 1"), (2, "raise ValueError('bad')"), (3, "raise ValueError('worse')")):
        await ao.deploy("judged", {"agent.py": f"def work(task): {code}"}, toml=toml)
        assert (await ao.run("judged")).version == version
    deployments = ao.platform.deployments
    move = await deployments.rollback("judged", None, "v3 is worse", ACTOR)
    assert (move.frm, move.to) == (3, 1)
    assert await ao.output(await ao.run("judged")) == 1
    with pytest.raises(Conflict, match="v1 is live and the last good version"):
        await deployments.rollback("judged", None, "again", ACTOR)


async def test_a_failed_build_leaves_what_is_live_alone(ao: Local) -> None:
    await ao.deploy("kept", {"agent.py": "def work(task): return 'good'"}, toml=FUNCTION)
    files = {"requirements.txt": NO_SUCH_PACKAGE}
    built = await ao.try_deploy("kept", files, toml=f'{FUNCTION}\nrequirements = "requirements.txt"')
    assert (built.version, built.status) == (2, DeploymentStatus.FAILED)
    assert "no-such-package-anywhere" in (built.error or "")
    assert await ao.output(await ao.run("kept")) == "good"


async def test_input_is_checked_at_the_door_and_the_error_names_the_path(ao: Local) -> None:
    toml = (
        f"{FUNCTION}\n"
        '[input_schema]\ntype = "object"\nrequired = ["q"]\n[input_schema.properties.q]\ntype = "string"'
    )
    await ao.deploy("strict", {"agent.py": "def work(task): return task['q']"}, toml=toml)
    with pytest.raises(InvalidInput, match=r"input\.q"):
        await ao.submit("strict", {"q": 7})
    assert await ao.output(await ao.run("strict", {"q": "hi"})) == "hi"


async def test_who_can_see_that_a_version_is_live_is_held_to_its_schema(
    ao: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before the build that made it live has heard of that."""
    toml = f'{FUNCTION}\ninput_schema = {{ type = "%s" }}'
    code = {"agent.py": "def work(task): return task"}
    await ao.deploy("typed", code, toml=toml % "string")
    store, seen = ao.platform.store.deployments, list[RunId]()
    succeed = store.succeed

    async def told_late(*made: Any) -> None:
        await ao.submit("typed", "a text")  # what is live is known
        await succeed(*made)
        seen.append(await ao.submit("typed", 7))

    monkeypatch.setattr(store, "succeed", told_late)
    await ao.deploy("typed", code, toml=toml % "integer")
    assert await ao.output(await ao.result(seen[0])) == 7


async def test_a_thousand_submits_with_one_key_are_one_run(ao: Local) -> None:
    await ao.deploy("once", {"agent.py": "def work(task): return 1"}, toml=FUNCTION)
    request = RunCreate(agent="once", input={}, idempotency_key="order-7")
    runs = ao.platform.services.runs
    created = await asyncio.gather(*(runs.create(request, ACTOR) for _ in range(1000)))
    assert len({run.id for run, _ in created}) == 1
    assert sum(is_new for _, is_new in created) == 1
    with pytest.raises(IdempotencyConflict):
        await runs.create(RunCreate(agent="once", input={"other": 1}, idempotency_key="order-7"), ACTOR)


async def test_a_run_of_an_agent_without_a_live_version_is_refused(ao: Local) -> None:
    toml = f'{FUNCTION}\nrequirements = "requirements.txt"'
    files = {"agent.py": "def work(task): pass", "requirements.txt": NO_SUCH_PACKAGE}
    await ao.try_deploy("never", files, toml=toml)
    with pytest.raises(Conflict, match="no live version"):
        await ao.submit("never")


async def test_shutdown_hands_unfinished_runs_back_without_blame(tmp_path: Path) -> None:
    code = "import time\ndef work(task):\n    print('on', flush=True)\n    time.sleep(600)\n"
    async with local_platform(tmp_path, {"AO_GRACE_SECONDS": "0.05"}) as ao:
        await ao.deploy("back", {"agent.py": code}, toml=FUNCTION)
        run_id = await ao.submit("back")
        await ao.until_line(run_id, "on")
        await ao.stop_worker()
        run = await ao.platform.services.runs.get(run_id)
        assert (run.head.state, run.head.failures, run.head.losses) == (RunState.PENDING, 0, 0)
        states = [event.data["reason"] for event in await ao.events(run_id) if event.kind is EventKind.STATE]
        assert states[-1] == "handed_back"


async def test_a_killed_supervisor_costs_one_attempt_and_no_blame(ao: Local) -> None:
    code = """
import os, time
def work(task):
    print("on", flush=True)
    time.sleep(0 if os.environ["AO_ATTEMPT"] == "2" else 600)
    return "done"
"""
    await ao.deploy("orphan", {"agent.py": code}, toml=FUNCTION)
    run_id = await ao.submit("orphan")
    await ao.until_line(run_id, "on")
    (supervisor,) = ao.supervisors()
    os.kill(supervisor, signal.SIGKILL)
    run = await ao.result(run_id)
    assert await ao.output(run) == "done"
    assert (run.head.attempt, run.head.failures, run.head.losses) == (2, 0, 1)
    until(lambda: len(ao.supervisors()) == 1)


async def test_a_flood_of_output_is_cut_with_a_visible_marker(ao: Local) -> None:
    code = "def work(task):\n    for _ in range(200): print('x' * 9_999)\n    return 'done'\n"
    await ao.deploy("flood", {"agent.py": code}, toml=f'{FUNCTION}\n[resources]\noutput = "500K"')
    run = await ao.run("flood")
    assert await ao.output(run) == "done"
    lines = await ao.lines(run.id)
    assert "bytes of output dropped" in lines[-1]
    assert sum(map(len, lines)) < 520_000


async def test_a_result_larger_than_a_row_comes_back_whole(ao: Local) -> None:
    await ao.deploy("large", {"agent.py": "def work(task): return 'x' * 1_000_000"}, toml=FUNCTION)
    run = await ao.run("large")
    assert run.output is not None
    assert run.output.blob is not None
    assert await ao.output(run) == "x" * 1_000_000


async def test_a_cron_schedule_follows_the_live_version_and_fires_by_itself(ao: Local) -> None:
    toml = f'{FUNCTION}\ncron = "* * * * * *"\ncron_input = {{ from = "cron" }}'
    await ao.deploy("ticking", {"agent.py": "def work(task): return task['from']"}, toml=toml)
    (schedule,) = await ao.platform.schedules.list()
    assert (schedule.agent, schedule.cron) == ("ticking", "* * * * * *")
    runs = ao.platform.store.runs
    with ao.platform.bus.subscribe(READY) as ready:
        while len(found := await runs.list(_of("ticking"), 10)) < 2:
            assert await ready.wait(WAIT_SECONDS), "no tick came"
    run = await ao.result(found[-1].id)
    assert await ao.output(run) == "cron"
    assert run.actor == f"schedule:{schedule.id}"
    await ao.deploy("ticking", {"agent.py": "def work(task): return 1"}, toml=FUNCTION)
    assert list(await ao.platform.schedules.list()) == []


def _of(agent: str) -> RunFilter:
    return RunFilter(agent=agent)
