"""What single runs tell: which namespaces they were in, and where their time went."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from benchmarks import agents, isolation
from benchmarks.closed_loop import drive, expected
from benchmarks.isolation import Stay
from benchmarks.stats import Figure, durations
from benchmarks.submit import Agent, Http

SLEEP_SECONDS = 0.05
STAGES = {
    "submit → accepted": "request, parsing, and the commit that makes the run durable",
    "accepted → claimed": "wake-up of the worker and the commit of its claim",
    "claimed → sandbox up": "bubblewrap, mounts, namespaces, interpreter start, the runner's hello",
    "sandbox up → agent": "input to the runner, import of the agent, first line of its function",
    "agent → ended": "result, end of the processes, removal of the sandbox",
    "ended → answered": "the commit of the outcome, and the response",
}


@dataclass(frozen=True)
class Seen:
    """One run with the moments of its life, in seconds of the wall clock."""

    view: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    submitted: float
    answered: float

    def at(self, kind: str, reason: str = "") -> float:
        for event in self.events:
            if event["kind"] == kind and event["data"].get("reason", "") == reason:
                return datetime.fromisoformat(event["at"]).timestamp()
        raise LookupError(f"run {self.view['id']} has no event {kind} {reason}")

    @property
    def namespaces(self) -> dict[str, int]:
        """As the server recorded them."""
        started = next(event for event in self.events if event["kind"] == "attempt_started")
        found: dict[str, int] = started["data"]["namespaces"]
        return found

    def stages(self) -> list[float]:
        moments = [
            self.submitted,
            self.at("state", "created"),
            self.at("state", "claimed"),
            self.at("attempt_started"),
            self.view["output"]["entered"],
            self.at("attempt_finished"),
            self.answered,
        ]
        return [after - before for before, after in pairwise(moments)]


class Witness:
    """Runs of the agent that looks at its own namespaces and clock."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._stays: list[Stay] = []
        self.stage_rounds: list[list[list[float]]] = []
        """Seconds by round, run and stage."""

    async def time_stages(self, numbers: range) -> None:
        """One run after the other, without a sleep."""
        agent = self._agent(0.0)
        seen = []
        for number in numbers:
            submitted = time.time()
            await agent.result(number)
            answered = time.time()
            seen.append(await self._look(agent.views[-1], submitted, answered))
        self.stage_rounds.append([each.stages() for each in seen])

    async def crowd(self, numbers: range, concurrency: int) -> None:
        """Runs that live at the same time. Raises WrongResult, Shared."""
        agent = self._agent(SLEEP_SECONDS)

        async def run(number: int) -> int:
            output = await agent.result(number)
            return int(output["number"])

        await drive(run, numbers, concurrency)
        for view in agent.views:
            await self._look(view, 0.0, 0.0)

    def check(self, sandbox: str) -> dict[str, Any]:
        """Only the level `namespaces` promises namespaces. Raises Shared."""
        required = isolation.OWN if sandbox == "namespaces" else ()
        return isolation.check(self._stays, isolation.of_this_process(), required)

    def stages(self) -> list[Figure]:
        return [
            durations(name, "stages", [[run[index] for run in part] for part in self.stage_rounds], about)
            for index, (name, about) in enumerate(STAGES.items())
        ]

    def _agent(self, seconds: float) -> Agent:
        return Agent(self._http, agents.WITNESS, lambda number: {"number": number, "seconds": seconds})

    async def _look(self, view: Mapping[str, Any], submitted: float, answered: float) -> Seen:
        output = view["output"]
        if output["number"] != expected(view["input"]["number"]):
            raise isolation.Shared(f"run {view['id']} gave another run's result: {output}")
        seen = Seen(view, await self._http.get(f"/v1/runs/{view['id']}/events"), submitted, answered)
        own = output["namespaces"]
        if any(own[kind] != inode for kind, inode in seen.namespaces.items() if kind in own):
            raise isolation.Shared(f"run {view['id']} was in {own}, not in {seen.namespaces}")
        self._stays.append(Stay(view["id"], output["entered"], output["left"], seen.namespaces))
        return seen
