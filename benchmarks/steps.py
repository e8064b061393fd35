"""How long a step takes until its result is durable, and how many steps all slots make together."""

import asyncio
import time
from typing import Any

from benchmarks import agents
from benchmarks.closed_loop import WrongResult
from benchmarks.stats import Figure, durations, rates
from benchmarks.submit import Agent, Http


class Steps:
    def __init__(self, http: Http, steps: int, concurrency: int) -> None:
        self._agent = Agent(http, agents.STEPS)
        self._steps = steps
        self._concurrency = concurrency
        self._checkpoints: list[list[float]] = []
        self._rates: list[float] = []

    async def round(self) -> None:
        """One run alone, then as many at once as there are clients."""
        self._checkpoints.append((await self._run())["seconds"])
        began = time.perf_counter()
        await asyncio.gather(*(self._run() for _ in range(self._concurrency)))
        self._rates.append(self._steps * self._concurrency / (time.perf_counter() - began))

    def figures(self) -> list[Figure]:
        clients = f"{self._concurrency} runs at once, with their starts and ends"
        return [
            durations("checkpoint", "steps", self._checkpoints, "an empty step, until it is durable"),
            rates("steps", "steps", self._rates, clients),
        ]

    async def _run(self) -> dict[str, Any]:
        output: dict[str, Any] = await self._agent.result(self._steps)
        if output["sum"] != sum(range(self._steps)) or len(output["seconds"]) != self._steps:
            raise WrongResult(f"a run in {self._steps} steps gave {output['sum']}")
        return output
