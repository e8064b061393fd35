"""Sandboxes made by the executor itself, without server, store or HTTP."""

import asyncio
import time
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from ao.sandbox import Entrypoint, Executor, Network, SandboxSpec
from ao.sandbox.process import ProcessExecutor
from benchmarks import agents
from benchmarks.closed_loop import WrongResult, expected


class ColdStart:
    """Seconds of each sandbox: until its runner is up, and until result, end and clean-up."""

    def __init__(self, executor: Executor, spec: SandboxSpec) -> None:
        self._executor = executor
        self._spec = spec
        self.up_rounds: list[list[float]] = []
        self.whole_rounds: list[list[float]] = []

    async def round(self, numbers: range) -> None:
        pairs = [await self._one(number) for number in numbers]
        self.up_rounds.append([up for up, _ in pairs])
        self.whole_rounds.append([whole for _, whole in pairs])

    async def _one(self, number: int) -> tuple[float, float]:
        spec = replace(self._spec, id=f"bench-{number}", input_json=str(number))
        before = time.perf_counter()
        sandbox = await self._executor.start(spec)
        up = time.perf_counter()
        result = None
        while (message := await sandbox.receive()) is not None:
            if message["type"] == "result":
                result = message
        while await sandbox.read_stdout() or await sandbox.read_stderr():
            pass
        end = await sandbox.wait()
        done = time.perf_counter()
        if result is None or result["value"] != expected(number) or end.exit_code != 0:
            raise WrongResult(f"sandbox {number} gave {result} and ended with {end}")
        return up - before, done - before


@asynccontextmanager
async def cold_start(directory: Path) -> AsyncIterator[ColdStart]:
    code, env = agents.write(directory, agents.NOOP), directory / "env"
    await asyncio.to_thread(venv.create, env, symlinks=True)
    spec = SandboxSpec(
        id="",
        code_dir=code,
        env_dir=env,
        python=env / "bin" / "python",
        entrypoint=Entrypoint("function", "agent:work"),
        input_json="0",
        network=Network("none"),
        warm=False,
    )
    executor = await ProcessExecutor.open(directory / "sandboxes")
    try:
        yield ColdStart(executor, spec)
    finally:
        await executor.close()
