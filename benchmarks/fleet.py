"""A fleet on this machine: Postgres, Redis, `ao server`, `ao worker` and the load on the same cores."""

import asyncio
import base64
import os
import re
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from psycopg import sql

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


async def fleet(plan: Plan) -> tuple[list[Figure], dict[str, Any]]:
    """Figures and facts; none of both when this machine has no Postgres or no Redis."""
    try:
        async with _running() as (server, worker, database):
            return await _measure(plan, server, worker, database)
    except Unavailable as error:
        return [], {"missing": str(error)}


class Database:
    """The Postgres server of the fleet, and its log."""

    def __init__(self, running: postgres.PostgresServer, url: str, pid: int) -> None:
        self._running = running
        self.url = url
        self.pid = pid

    def fresh(self) -> str:
        return self._running.url(self._running.create())

    async def statements(self, seconds: float) -> int:
        """How many statements come in within a time."""
        self._log("all")
        try:
            await asyncio.sleep(0.5)  # all of its processes have been told
            before = self._logged()
            await asyncio.sleep(seconds)
            return self._logged() - before
        finally:
            self._log("none")

    def _log(self, what: str) -> None:
        self._running.execute(sql.SQL("ALTER SYSTEM SET log_statement = {}").format(sql.Literal(what)))
        self._running.execute(sql.SQL("SELECT pg_reload_conf()"))

    def _logged(self) -> int:
        return len(re.findall(r"LOG:  (?:statement|execute [^:]*):", self._running.log.read_text()))


@asynccontextmanager
async def _running() -> AsyncIterator[tuple[ao_up.Server, int, Database]]:
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
        yield server, worker, Database(found, url, found.pid)


async def _measure(
    plan: Plan, server: ao_up.Server, worker: int, database: Database
) -> tuple[list[Figure], dict[str, Any]]:
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
        before = [ao_up.cpu_seconds(pid) for pid in (server.pid, worker, database.pid)]
        load = await drive(run, take(plan.burst), plan.concurrency)
        after = [ao_up.cpu_seconds(pid) for pid in (server.pid, worker, database.pid)]
        cpu.append([(b - a) / len(load.seconds) for a, b in zip(before, after, strict=True)])
        loads.append(load)
        await steps.round()
    sustained = await drive(run, take(plan.sustained), plan.concurrency)
    await http.close()
    at_rest = await database.statements(plan.idle)
    clients = f"{plan.concurrency} clients at once"
    figures = [
        durations("fleet, alone", "fleet", alone, "submit → result, standard library, warm, one at a time"),
        durations("fleet, accepted → claimed", "fleet", starts, "the same runs, by the database's clock"),
        rates("fleet, throughput", "fleet", [load.rate for load in loads], clients),
        *_renamed(steps.figures()),
        *await claims(database.fresh(), plan.claims),
    ]
    names = ("server", "worker and its sandboxes", "Postgres")
    return figures, {
        "sustained": sustained.rate,
        "cpu_seconds_per_run": {
            name: statistics.median(each[index] for each in cpu) for index, name in enumerate(names)
        },
        "statements_per_second_at_rest": at_rest / plan.idle,
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
