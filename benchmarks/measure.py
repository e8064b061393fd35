"""One benchmark run of AO: every figure in turn, round after round, on one server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from ao.client.api import Client
from ao.store.sql.sqlite_connection import connect
from benchmarks import agents, ao_up, limits
from benchmarks.closed_loop import Load, WrongResult, drive, expected
from benchmarks.cold_start import ColdStart, cold_start
from benchmarks.plan import SETTINGS, Plan
from benchmarks.rollbacks import Rollbacks
from benchmarks.starts import Starts
from benchmarks.stats import Figure, durations, rates
from benchmarks.steps import Steps
from benchmarks.submit import Agent, Http
from benchmarks.witness import Witness

WARM_UP_RUNS = 5
Say = Callable[[str], None]


class Measurement:
    """Collects seconds; `figures` says what they mean."""

    def __init__(self, plan: Plan, server: ao_up.Server, client: Client, http: Http, directory: Path) -> None:
        self._plan = plan
        self._server = server
        self._client = client
        self._http = http
        self._directory = directory
        self._bubblewrap = limits.find_bubblewrap()
        self.no_bubblewrap = limits.bubblewrap_works(self._bubblewrap)
        self._numbers = count(1)
        self._noop = Agent(http, agents.NOOP)
        self._witness = Witness(http)
        self._steps = Steps(http, plan.steps, plan.concurrency)
        self.rollbacks = Rollbacks(http, plan.rollbacks)
        self._packaged = agents.write(directory, agents.PACKAGED)
        self._limits: dict[str, list[list[float]]] = {}
        self._http_rounds: list[list[float]] = []
        self._accept_rounds: list[list[float]] = []
        self._alone_rounds: list[list[float]] = []
        self._client_rounds: list[list[float]] = []
        self._deploy_rounds: list[list[float]] = []
        self._bursts: list[Load] = []
        self._burst_cpu: list[float] = []
        self.starts = Starts(plan, server, http, self._take)
        self.first_deploy_seconds = 0.0
        self.idle_memory_bytes = ao_up.memory_bytes(server.pid)

    @property
    def sandbox(self) -> dict[str, Any]:
        """How the runs were isolated."""
        server = self._server
        return {"sandbox": server.sandbox, "degraded": server.degraded, "no_bubblewrap": self.no_bubblewrap}

    async def prepare(self) -> None:
        for name in (agents.NOOP, agents.WITNESS, agents.STEPS):
            project = self._directory / "projects"
            project.mkdir(exist_ok=True)
            await asyncio.to_thread(self._deploy, agents.write(project, name))
        await asyncio.to_thread(self.rollbacks.prepare, self._directory, self._deploy)
        await self.starts.prepare(self._directory, self._deploy, self._directory / "wheels")
        self.first_deploy_seconds = await asyncio.to_thread(self._deploy, self._packaged)
        await drive(self._noop.result, self._take(WARM_UP_RUNS), 1)
        await Agent(self._http, agents.PACKAGED).result(next(self._numbers))

    async def check_packages(self) -> None:
        await self.starts.check_packages(self._directory, self._deploy, self._directory / "wheels")

    async def round(self, cold: ColdStart) -> None:
        plan = self._plan
        await asyncio.to_thread(self._measure_limits)
        await cold.round(self._take(plan.sandboxes))
        self._http_rounds.append([await self._timed_get() for _ in range(plan.alone)])
        self._accept_rounds.append([await self._timed_accept(number) for number in self._take(plan.alone)])
        self._alone_rounds.append((await drive(self._noop.result, self._take(plan.alone), 1)).seconds)
        numbers = self._take(plan.alone)
        self._client_rounds.append(await asyncio.to_thread(self._through_client, numbers))
        await self._witness.time_stages(self._take(plan.alone))
        await self._burst()
        await self._steps.round()
        await self.starts.round()
        await self.rollbacks.round()
        await self._witness.crowd(self._take(plan.crowd), plan.concurrency)
        self._deploy_rounds.append(await asyncio.to_thread(self._redeploy))

    def figures(self, cold: ColdStart) -> list[Figure]:
        clients = f"{self._plan.concurrency} clients at once"
        machine = [
            durations(limit.name, "machine", self._limits[limit.name], limit.about)
            for limit in limits.LIMITS
            if limit.name in self._limits
        ]
        bursts = [load.seconds for load in self._bursts]
        return [
            *machine,
            durations("sandbox up", "sandbox", cold.up_rounds, "executor: start until the runner says hello"),
            durations("sandbox whole", "sandbox", cold.whole_rounds, "executor: start, no-op, end, clean-up"),
            durations("GET /livez", "AO over HTTP", self._http_rounds, "the server's shortest answer"),
            durations("accept", "AO over HTTP", self._accept_rounds, "POST /v1/runs until the run is durable"),
            durations("submit → result", "AO over HTTP", self._alone_rounds, "no-op, one at a time"),
            durations("submit → result, ao.Client", "AO over HTTP", self._client_rounds, "one at a time"),
            durations("submit → result, busy", "AO over HTTP", bursts, f"no-op, {clients}"),
            rates("throughput", "AO over HTTP", [load.rate for load in self._bursts], f"no-op, {clients}"),
            durations(
                "CPU per run",
                "AO over HTTP",
                [[seconds] for seconds in self._burst_cpu],
                "server, supervisor, sandboxes during the burst; not the load",
            ),
            durations("deploy", "AO over HTTP", self._deploy_rounds, "changed code, cached dependencies"),
            *self._steps.figures(),
            *self.starts.figures(),
            *self.rollbacks.figures(),
            *self._witness.stages(),
        ]

    def checks(self) -> dict[str, Any]:
        """What was found right; wrong results have raised before. Raises Shared, WrongResult."""
        views = self._noop.views
        if len({view["id"] for view in views}) != len(views):
            raise WrongResult("two submits came back with one run")
        if any(view["output"] != expected(view["input"]) or view["attempt"] != 1 for view in views):
            raise WrongResult("a run gave another run's result, or needed more than one attempt")
        distinct = len({view["output"] for view in views})
        return {
            "runs": len(views),
            "distinct_results": distinct,
            "namespaces": self._witness.check(self._server.sandbox),
            "memory_bytes_idle": self.idle_memory_bytes,
            "memory_bytes_after": ao_up.memory_bytes(self._server.pid),
        }

    def _take(self, amount: int) -> range:
        first = next(self._numbers)
        self._numbers = count(first + amount)
        return range(first, first + amount)

    def _measure_limits(self) -> None:
        program = "" if self.no_bubblewrap else str(self._bubblewrap)
        place = self._directory / f"limits-{next(self._numbers)}"
        place.mkdir()
        for name, seconds in limits.measure(place, self._plan.limits, program).items():
            self._limits.setdefault(name, []).append(seconds)

    async def _timed_get(self) -> float:
        before = time.perf_counter()
        await self._http.get("/livez")
        return time.perf_counter() - before

    async def _timed_accept(self, number: int) -> float:
        before = time.perf_counter()
        view = await self._noop.accepted(number)
        seconds = time.perf_counter() - before
        await self._noop.ended(view)
        return seconds

    def _through_client(self, numbers: range) -> list[float]:
        seconds = []
        for number in numbers:
            before = time.perf_counter()
            result = self._client.run(agents.NOOP, number, wait=30).result(timeout=60)
            seconds.append(time.perf_counter() - before)
            if result != expected(number):
                raise WrongResult(f"run {number} gave {result!r}")
        return seconds

    async def _burst(self) -> None:
        before = ao_up.cpu_seconds(self._server.pid)
        load = await drive(self._noop.result, self._take(self._plan.burst), self._plan.concurrency)
        self._burst_cpu.append((ao_up.cpu_seconds(self._server.pid) - before) / len(load.seconds))
        self._bursts.append(load)

    def _redeploy(self) -> list[float]:
        seconds = []
        for _ in range(self._plan.deploys):
            agents.change(self._packaged, next(self._numbers))
            seconds.append(self._deploy(self._packaged))
        return seconds

    def _deploy(self, project: Path) -> float:
        """Seconds until the new version takes runs. Raises BuildFailed."""
        before = time.perf_counter()
        self._client.deploy(project).wait()
        return time.perf_counter() - before


@asynccontextmanager
async def prepared(plan: Plan, directory: Path) -> AsyncIterator[tuple[Measurement, ColdStart]]:
    """A server with its agents deployed, in `directory`; everything is ended when the block is left."""
    wheels = directory / "wheels"
    agents.write_wheel(wheels)
    offline = {"PIP_FIND_LINKS": str(wheels), "PIP_NO_INDEX": "1"}
    with ao_up.ao_up(directory, {**SETTINGS, **offline}) as server:
        http = Http(server.port, server.key)
        with Client(server.url, server.key) as client:
            measurement = Measurement(plan, server, client, http, directory)
            await measurement.prepare()
            place = directory / "executor"
            place.mkdir()
            async with cold_start(place) as cold:
                yield measurement, cold
            await http.close()


def sqlite_settings(directory: Path) -> dict[str, Any]:
    """What AO's own connections are set to, asked of one that it opens."""
    connection = connect(directory / "settings.db")
    try:
        names = ("journal_mode", "synchronous", "journal_size_limit")
        return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}
    finally:
        connection.close()
