"""An attempt that ends inside of a step without a word of it names the step."""

from pathlib import Path

import pytest
from tests.local import local_platform

from ao.domain.outcome import OutcomeKind
from ao.domain.run import RunState

TOML = 'entrypoint = "agent:work"\nretries = 0\n'
ENDS = """
import os, signal, sys, threading, time
from ao_runner import span, step
begun = threading.Event()
def end(how):
    if how == "exit":
        sys.exit(4)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(5)
def wait():
    begun.set()
    time.sleep(600)
def work(how):
    if how == "beside":
        threading.Thread(target=lambda: step.run("wait", wait), daemon=True).start()
        begun.wait()
    with span("collect"):
        step.run("outer", lambda: step.run("inner", end, how))
"""
INNER = "collect/outer/inner"


@pytest.mark.parametrize("warm", ["on", "off"])
async def test_the_step_that_was_not_over_is_on_the_run(tmp_path: Path, warm: str) -> None:
    async with local_platform(tmp_path, {"AO_WARM": warm}) as ao:
        await ao.deploy("ends", {"agent.py": ENDS}, toml=TOML)
        for how, kind, step in (
            ("exit", OutcomeKind.EXIT, INNER),
            ("leave", OutcomeKind.EXIT, INNER),
            ("kill", OutcomeKind.SIGNAL, INNER),
            ("beside", OutcomeKind.EXIT, ""),
        ):
            run = await ao.run("ends", how)
            assert run.head.state is RunState.FAILED
            assert run.error is not None
            assert (run.error.kind, run.error.step) == (kind, step), how
