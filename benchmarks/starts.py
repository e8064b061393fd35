"""Cold and warm starts side by side: the same agents twice on one server, one after the other in each round."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import agents, ao_up
from benchmarks.closed_loop import Load, drive
from benchmarks.plan import Plan
from benchmarks.stats import Figure, durations, rates
from benchmarks.submit import Agent, Http

SETTLE_SECONDS = 60.0
SUBMITTERS = 32
LOW_PRIORITY = -10
COLD_SHARE = 4
"""Of a burst of cold runs only so much is made: they take long."""
Take = Callable[[int], range]


@dataclass
class Kind:
    """One agent, started one way, and what was measured of it."""

    agent: str
    warm: bool
    alone: list[list[float]] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.agent if self.warm else f"{self.agent}-cold"

    @property
    def label(self) -> str:
        return f"{self.agent}, {'warm' if self.warm else 'cold'}"


class Starts:
    def __init__(self, plan: Plan, server: ao_up.Server, http: Http, take: Take) -> None:
        self._plan = plan
        self._server = server
        self._http = http
        self._take = take
        self._kinds: list[Kind] = []
        self._rates: dict[str, list[float]] = {}
        self.facts: dict[str, Any] = {}

    async def prepare(self, directory: Path, deploy: Callable[[Path], object], wheels: Path) -> None:
        """Deploy each agent both ways and wait until its runs start as they should."""
        names = [agents.STDLIB]
        if self._plan.openai and await asyncio.to_thread(download, agents.OPENAI, wheels):
            names.append(agents.OPENAI)
        self.facts["agents"] = names
        for name in names:
            for kind in (Kind(name, warm=False), Kind(name, warm=True)):
                project = agents.write_start(directory, kind.name, name, warm=kind.warm)
                await asyncio.to_thread(deploy, project)
                if self._server.sandbox == "namespaces" or not kind.warm:
                    self._kinds.append(kind)
                    await self._settle(kind)
        await asyncio.to_thread(deploy, agents.write(directory, agents.HOLD))

    async def _settle(self, kind: Kind) -> None:
        """Bursts, until one starts as it should throughout: all templates that it needs are there."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            agent = Agent(self._http, kind.name)
            await drive(agent.result, self._take(4 * self._plan.concurrency), self._plan.concurrency)
            if all([await self._is_warm(view) is kind.warm for view in agent.views]):
                return
            await asyncio.sleep(0.5)

    async def _is_warm(self, view: dict[str, Any]) -> bool:
        events = await self._http.get(f"/v1/runs/{view['id']}/events")
        return any(event["kind"] == "attempt_started" and event["data"]["warm"] for event in events)

    async def round(self) -> None:
        for kind in self._kinds:
            run = Agent(self._http, kind.name).result
            kind.alone.append((await drive(run, self._take(self._plan.alone), 1)).seconds)
            before = ao_up.cpu_seconds(self._server.pid)
            amount = self._plan.burst if kind.warm else self._plan.burst // COLD_SHARE
            load = await drive(run, self._take(amount), self._plan.concurrency)
            kind.cpu.append((ao_up.cpu_seconds(self._server.pid) - before) / len(load.seconds))
            kind.loads.append(load)

    async def sustain(self) -> None:
        """Once: many runs on end, and the same before a long queue; memory before and after."""
        for kind in self._kinds:
            if kind.warm:
                before = ao_up.memory_bytes(self._server.pid)
                load = await self._drive(kind, self._plan.sustained)
                after = ao_up.memory_bytes(self._server.pid)
                self._rates[f"sustained, {kind.label}"] = [load.rate]
                self.facts[f"memory_bytes, {kind.label}"] = [before, after]
        warm = [kind for kind in self._kinds if kind.warm]
        if warm:
            await self._queue_up(warm[-1])
            before = await self._unfinished()
            load = await self._drive(warm[-1], self._plan.sustained, priority=10)
            others = before - await self._unfinished()
            # Of those that wait some begin when several slots are free at once: they are work done, too.
            rate = load.rate * (1 + others / len(load.seconds))
            self._rates[f"sustained before {self._plan.pending} pending, {warm[-1].label}"] = [rate]
            self.facts["pending_done"] = others

    async def _unfinished(self) -> int:
        runs: dict[str, int] = (await self._http.get("/v1/status"))["runs"]
        return runs["ready"] + runs["running"]

    async def check_packages(self, directory: Path, deploy: Callable[[Path], object], wheels: Path) -> None:
        """Last: agents that import packages of the index start warm, or the reason why they do not."""
        found: dict[str, str] = {}
        for name in agents.PACKAGES if self._plan.openai else ():
            if await asyncio.to_thread(download, name, wheels):
                project = agents.write_start(directory, f"import-{name}", name, warm=True)
                await asyncio.to_thread(deploy, project)
                found[name] = await self._how_it_starts(f"import-{name}")
        self.facts["packages"] = found

    async def _how_it_starts(self, agent: str) -> str:
        deadline = time.monotonic() + SETTLE_SECONDS
        state = "unknown"
        while time.monotonic() < deadline and state != "ready":
            warm = (await self._http.get(f"/v1/agents/{agent}/deployments/1"))["warm"] or {"state": "unknown"}
            state = warm["state"] if warm["state"] != "cold" else f"cold: {warm['why_cold']}"
            await asyncio.sleep(0.1)
        return state

    async def _drive(self, kind: Kind, amount: int, priority: int = 0) -> Load:
        agent = Agent(self._http, kind.name, priority=priority)
        return await drive(agent.result, self._take(amount), self._plan.concurrency)

    async def _queue_up(self, kind: Kind) -> None:
        """Runs that wait behind all others. Others hold every slot meanwhile, or the queue would be worked off
        while it is made."""
        slots = sum(worker["slots"] for worker in (await self._http.get("/v1/status"))["workers"])
        holder = Agent(self._http, agents.HOLD)
        held = [await holder.accepted(number) for number in range(slots)]
        agent = Agent(self._http, kind.name, priority=LOW_PRIORITY)
        numbers = iter(self._take(self._plan.pending))

        async def submit() -> None:
            for number in numbers:
                await agent.accepted(number)

        await asyncio.gather(*(submit() for _ in range(SUBMITTERS)))
        for view in held:
            await self._http.post(f"/v1/runs/{view['id']}/cancel", {})

    def figures(self) -> list[Figure]:
        found: list[Figure] = []
        clients = f"{self._plan.concurrency} clients at once"
        for kind in self._kinds:
            bursts = [load.seconds for load in kind.loads]
            found += [
                durations(f"alone, {kind.label}", "starts", kind.alone, "submit → result, one at a time"),
                durations(f"busy, {kind.label}", "starts", bursts, f"submit → result, {clients}"),
                rates(f"throughput, {kind.label}", "starts", [load.rate for load in kind.loads], clients),
                durations(
                    f"CPU, {kind.label}", "starts", [[each] for each in kind.cpu], "all processes, per run"
                ),
            ]
        return found

    @property
    def sustained(self) -> dict[str, Sequence[float]]:
        """Runs per second by what was sustained."""
        return {name: list(found) for name, found in self._rates.items()}


def download(requirement: str, wheels: Path) -> bool:
    """Fetch a package with what it needs, as the host's pip is configured; False when it cannot be had."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--only-binary=:all:",
        "-d",
        str(wheels),
        requirement,
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
