"""Which step is it: what leads to one must be the same in every execution, and its key may be any text."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.local import Local, local_platform

from ao.domain.run import RunState

FUNCTION = 'entrypoint = "agent:work"\n[retries]\ninitial_delay = "10ms"\njitter = false\n'


@pytest.fixture
async def cold(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_WARM": "off"}) as local:
        yield local


DIVERGES = """
import os
from ao_runner import step
def work(task):
    step.run("fetch", str, os.environ["AO_ATTEMPT"])
    raise RuntimeError("again")
"""


CAUGHT = """
import os
from ao_runner import step

def work(task):
    try:
        step.run("first", str, os.environ["AO_ATTEMPT"])
    except Exception:
        try:
            step.run("second", print, "went on")
        except Exception:
            return "all is well"
    raise RuntimeError("again")
"""


async def test_divergence_that_is_caught_is_the_end_all_the_same(cold: Local) -> None:
    await cold.deploy("caught", {"agent.py": CAUGHT}, toml=FUNCTION)
    run = await cold.run("caught")
    assert run.error is not None
    assert (run.head.state, run.error.type, run.error.step) == (RunState.FAILED, "StepDiverged", "first")
    assert await cold.lines(run.id) == []


async def test_another_input_than_recorded_is_divergence_and_permanent(cold: Local) -> None:
    await cold.deploy("diverges", {"agent.py": DIVERGES}, toml=FUNCTION)
    run = await cold.run("diverges")
    assert run.error is not None
    assert (run.head.attempt, run.error.type) == (2, "StepDiverged")
    assert "step 'fetch' was recorded with another input" in run.error.message


KEYS = """
from ao_runner import step
def work(task):
    return [step.run("k", ord, key[0], key=key) for key in ("x" * 5000, "a\\nb", "\\0", "\\ud800")]
"""


async def test_a_key_may_be_any_text(cold: Local) -> None:
    await cold.deploy("keys", {"agent.py": KEYS}, toml=FUNCTION)
    run = await cold.run("keys")
    assert await cold.output(run) == [ord("x"), ord("a"), 0, 0xD800]
    steps = await cold.platform.store.steps.list(run.id, 10)
    assert [step.key for step in steps] == ["x" * 199 + "…", "a\\nb", "\\x00", "\\ud800"]
