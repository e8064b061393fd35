"""How long it takes from the request to roll back until the first run of the version before is done."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import agents
from benchmarks.closed_loop import WrongResult
from benchmarks.stats import Figure, durations
from benchmarks.submit import Agent, Http


class Rollbacks:
    def __init__(self, http: Http, amount: int) -> None:
        self._http = http
        self._amount = amount
        self._agent = Agent(http, agents.ROLLED)
        self._live = 2
        self._rounds: list[list[float]] = []

    def prepare(self, directory: Path, deploy: Callable[[Path], object]) -> None:
        """Two versions, of which the second is live."""
        project = agents.write(directory, agents.ROLLED, warm=True)
        for version in (1, 2):
            agents.change(project, version)
            deploy(project)

    async def round(self) -> None:
        self._rounds.append([await self._one() for _ in range(self._amount)])

    async def _one(self) -> float:
        """To the other version and through one run."""
        self._live = 3 - self._live
        before = time.perf_counter()
        await self._http.post(f"/v1/agents/{agents.ROLLED}/rollback", {"to": self._live})
        version = await self._agent.result(0)
        seconds = time.perf_counter() - before
        if version != self._live:
            raise WrongResult(f"after a rollback to version {self._live} a run was of version {version}")
        return seconds

    def figures(self) -> list[Figure]:
        about = "from the request until the first run of the version before is done"
        return [durations("rollback → result", "AO over HTTP", self._rounds, about)]

    async def cold_starts(self) -> dict[str, Any]:
        """How many of those runs started cold."""
        cold = 0
        for view in self._agent.views:
            events = await self._http.get(f"/v1/runs/{view['id']}/events")
            cold += not any(event["kind"] == "attempt_started" and event["data"]["warm"] for event in events)
        return {"runs": len(self._agent.views), "cold": cold}
