"""A fleet on this machine: Postgres, Redis, `ao server`, `ao worker` and the load on the same cores."""

import asyncio
import base64
import os
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from ao.client.api import Client
from ao.domain.errors import Unavailable
from ao.testing import postgres, redis
from benchmarks import agents, ao_up
from benchmarks.claims import claims
from benchmarks.closed_loop import drive
from benchmarks.plan import SETTINGS, Plan
from benchmarks.stats import Figure, durations, rates
from benchmarks.steps import Steps
from benchmarks.submit import Agent, Http

WARM_UP_RUNS = 1500
"""By then the worker has made as many templates as runs go on at once."""
SETTLE_SECONDS = 5.0
"""So long a process does what it does once."""


async def fleet(plan: Plan) -> tuple[list[Figure], dict[str, Any]]:
    """Figures and facts; none of both when this machine has no Postgres or no Redis."""
    try:
        async with _running() as running:
            return await _measure(plan, running)
    except Unavailable as error:
        return [], {"missing": str(error)}


@dataclass(frozen=True)
class Running:
    server: ao_up.Server
    worker: int
    """Its pid."""
    postgres: postgres.PostgresServer
    directory: Path
    settings: dict[str, str]

    def pids(self) -> tuple[int, int, int]:
        return self.server.pid, self.worker, self.postgres.pid

    async def at_rest(self, seconds: float) -> tuple[float, dict[str, float]]:
        """Statements a second: of the fleet as it is, and what a further process of each kind adds."""
        rates = [await self._statements(seconds)]
        with ExitStack() as stack:
            for role, more in (("worker", {}), ("server", {"AO_PORT": "0"})):
                home = self.directory / f"further-{role}"
                stack.enter_context(ao_up.started(role, home, {**self.settings, **more}))
                await asyncio.sleep(min(SETTLE_SECONDS, seconds))
                rates.append(await self._statements(seconds))
        fleet, worker, server = rates
        return fleet, {"worker": worker - fleet, "server": server - worker}

    async def _statements(self, seconds: float) -> float:
        with self.postgres.telling_statements() as told:
            await asyncio.sleep(seconds)
            return len(told()) / seconds


@asynccontextmanager
async def _running() -> AsyncIterator[Running]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ao-fleet-")))
        found = stack.enter_context(postgres.running(system_only=True, durable=True))
        hints = stack.enter_context(redis.running())
        url = found.url(found.create())
        settings = {
            **SETTINGS,
            "AO_DATABASE_URL": url,
            "AO_REDIS_URL": hints.url,
            "AO_BLOBS": str(directory / "blobs"),
            "AO_SECRETS_KEY": base64.b64encode(os.urandom(32)).decode(),
        }
        server, worker = stack.enter_context(ao_up.server_and_worker(directory, settings))
        yield Running(server, worker, found, directory, settings)


async def _measure(plan: Plan, running: Running) -> tuple[list[Figure], dict[str, Any]]:
    server = running.server
    http, numbers = Http(server.port, server.key), count(1)

    def take(amount: int) -> range:
        first = next(numbers)
        for _ in range(amount):
            next(numbers)
        return range(first, first + amount)

    await asyncio.to_thread(_deploy, server, plan)
    steps = Steps(http, plan.steps, plan.concurrency)
    run = Agent(http, agents.STDLIB).result
    await drive(run, take(min(WARM_UP_RUNS, plan.sustained)), plan.concurrency)
    alone, starts, loads, cpu = [], [], [], []
    for _ in range(plan.rounds):
        agent = Agent(http, agents.STDLIB)
        alone.append((await drive(agent.result, take(plan.alone), 1)).seconds)
        starts.append([await _until_started(http, view["id"]) for view in agent.views])
        before = [ao_up.cpu_seconds(pid) for pid in running.pids()]
        load = await drive(run, take(plan.burst), plan.concurrency)
        after = [ao_up.cpu_seconds(pid) for pid in running.pids()]
        cpu.append([(b - a) / len(load.seconds) for a, b in zip(before, after, strict=True)])
        loads.append(load)
        await steps.round()
    sustained = await drive(run, take(plan.sustained), plan.concurrency)
    await http.close()
    at_rest, further = await running.at_rest(plan.idle)
    fresh = running.postgres.url(running.postgres.create())
    clients = f"{plan.concurrency} clients at once"
    figures = [
        durations("fleet, alone", "fleet", alone, "submit → result, standard library, warm, one at a time"),
        durations("fleet, accepted → claimed", "fleet", starts, "the same runs, by the database's clock"),
        rates("fleet, throughput", "fleet", [load.rate for load in loads], clients),
        *_renamed(steps.figures()),
        *await claims(fresh, plan.claims),
    ]
    names = ("server", "worker and its sandboxes", "Postgres")
    return figures, {
        "sustained": sustained.rate,
        "cpu_seconds_per_run": {
            name: statistics.median(each[index] for each in cpu) for index, name in enumerate(names)
        },
        "statements_per_second_at_rest": at_rest,
        "statements_per_second_of_a_further": further,
    }


def _deploy(server: ao_up.Server, plan: Plan) -> None:
    with tempfile.TemporaryDirectory(prefix="ao-fleet-") as name, Client(server.url, server.key) as client:
        directory = Path(name)
        client.deploy(agents.write_start(directory, agents.STDLIB, agents.STDLIB, warm=True)).wait()
        client.deploy(agents.write(directory, agents.STEPS)).wait()


async def _until_started(http: Http, run_id: str) -> float:
    """Seconds from the write that accepted it to the one that gave it to a worker."""
    states = [event for event in await http.get(f"/v1/runs/{run_id}/events") if event["kind"] == "state"]
    accepted, claimed = (datetime.fromisoformat(event["at"]) for event in states[:2])
    return (claimed - accepted).total_seconds()


def _renamed(figures: list[Figure]) -> list[Figure]:
    return [Figure(**{**vars(each), "name": f"fleet, {each.name}", "group": "fleet"}) for each in figures]
