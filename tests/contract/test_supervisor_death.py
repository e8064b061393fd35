"""A supervisor that is killed while sandboxes start: nobody waits for ever, and nothing is left."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from tests.platform import processes_mentioning, until

from ao.domain.errors import SandboxError
from ao.sandbox import Entrypoint, SandboxSpec
from ao.sandbox.process import ProcessExecutor

ROUNDS = 25
LATEST_KILL_SECONDS = 0.015
"""A start takes about this long."""


async def test_starts_end_when_the_supervisor_dies_at_any_moment_and_nothing_is_left(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    code = tmp_path / "code"
    code.mkdir()
    (code / "agent.py").write_text("def work(task): return task\n")
    executor = await ProcessExecutor.open(tmp_path / "sandboxes")
    try:
        for number in range(ROUNDS):
            starts = [asyncio.create_task(_run(executor, code, f"{number}-{n}")) for n in range(4)]
            await asyncio.sleep(rng.uniform(0, LATEST_KILL_SECONDS))
            os.kill(executor.supervisor_pid, signal.SIGKILL)
            async with asyncio.timeout(60):
                await asyncio.gather(*starts)
                await executor.lost.wait()
                await executor.restart()
    finally:
        await executor.close()
    until(lambda: not processes_mentioning(str(tmp_path)), 60, lambda: processes_mentioning(str(tmp_path)))


async def _run(executor: ProcessExecutor, code: Path, name: str) -> None:
    environment = Path(sys.prefix)
    python = environment / "bin" / "python"
    spec = SandboxSpec(name, code, environment, python, Entrypoint("function", "agent:work"), "1")
    try:
        sandbox = await executor.start(spec)
    except SandboxError:
        return
    while await sandbox.receive() is not None:
        pass
    await sandbox.wait()
