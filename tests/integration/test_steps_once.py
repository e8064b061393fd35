"""Steps that are cut off or raise: executed again, or in doubt where they are done at most once."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.local import Local, local_platform

from ao.domain.step import StepState

FUNCTION = 'entrypoint = "agent:work"\n[retries]\ninitial_delay = "10ms"\njitter = false\n'


@pytest.fixture(params=["warm", "cold"])
async def ao(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Local]:
    variables = {"AO_HEARTBEAT_SECONDS": "0.2", "AO_WARM": "on" if request.param == "warm" else "off"}
    async with local_platform(tmp_path, variables) as local:
        yield local


CUT = """
import os, time
from ao_runner import step
def once():
    print("in once", flush=True)
    if os.environ["AO_ATTEMPT"] == "1":
        time.sleep(600)
    return "done"
def work(task):
    return step.run("pay", once, once=task["once"])
"""


@pytest.mark.parametrize("once", [False, True])
async def test_a_step_that_is_cut_off_runs_again_or_is_in_doubt(ao: Local, once: bool) -> None:
    await ao.deploy("cut", {"agent.py": CUT}, toml=FUNCTION)
    run_id = await ao.submit("cut", {"once": once})
    await ao.until_line(run_id, "in once")
    (supervisor,) = ao.supervisors()
    os.kill(supervisor, signal.SIGKILL)
    run = await ao.result(run_id)
    assert run.head.losses == 1
    if once:
        assert run.error is not None
        assert run.error.type == "StepInDoubt"
        assert (await ao.lines(run_id)).count("in once") == 1
        assert [step.state for step in await ao.platform.store.steps.list(run_id, 10)] == [StepState.STARTED]
    else:
        assert await ao.output(run) == "done"
        assert (await ao.lines(run_id)).count("in once") == 2


RAISING = """
import os
from ao_runner import Retry, StepInDoubt, step
def pay(how):
    print("paying", flush=True)
    if os.environ["AO_ATTEMPT"] == "1":
        raise Retry("no connection: nothing was sent", after=0.01) if how == "again" else OSError("no answer")
    return "paid"
def order(how):
    return step.run("pay", pay, how, once=True)
def work(how):
    return step.run("order", order, how, retries=1) if how == "inside" else order(how)
"""


@pytest.mark.parametrize("how", ["plain", "inside", "again"])
async def test_a_step_that_is_done_at_most_once_is_in_doubt_when_it_has_raised(ao: Local, how: str) -> None:
    """Also where what it is inside of is tried again; `Retry` says that there was no effect."""
    await ao.deploy("raising", {"agent.py": RAISING}, toml=FUNCTION)
    run = await ao.run("raising", how)
    assert (await ao.lines(run.id)).count("paying") == (2 if how == "again" else 1)
    if how == "again":
        assert await ao.output(run) == "paid"
    else:
        assert run.error is not None
        assert run.error.type == "StepInDoubt"
        assert "has raised in an earlier execution" in run.error.message
