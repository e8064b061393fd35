"""All servers and workers are restarted under load: nothing is lost, clients see no more than a reconnect."""

import asyncio
import base64
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from tests.acceptance.command import Platform
from tests.acceptance.fleet import Fleet
from tests.acceptance.projects import project
from tests.databases import IN_CI, install, missing
from tests.platform import until

from ao import AsyncClient, Client
from ao.testing import haproxy
from ao.testing.ports import free_port
from ao.testing.redis import RedisServer

AGENT = """
import time
from ao_runner import step


@step
def part(number):
    time.sleep(0.1)
    return number


def main(task):
    done = [part(number) for number in range(task["parts"])]
    return {"number": task["number"], "done": done}
"""
SERVERS, WORKERS = 2, 3
LONGEST, LONG, SHORT = 60, 30, 2
"""Parts: a long run outlives the grace time of its worker."""
SLOTS = 2 * WORKERS
GRACE_SECONDS = "1"
MORE = 8
"""Runs that end between two restarts of servers."""


@pytest.fixture
def fleet(tmp_path: Path, postgres_url: str, own_redis: RedisServer) -> Iterator[Fleet]:
    variables = {
        "AO_DATABASE_URL": postgres_url,
        "AO_REDIS_URL": own_redis.url,
        "AO_BLOBS": str(tmp_path / "shared"),
        "AO_SECRETS_KEY": base64.b64encode(os.urandom(32)).decode(),
        "AO_GRACE_SECONDS": GRACE_SECONDS,
        "AO_DRAIN_SECONDS": "1",
        "AO_LOG_LEVEL": "warning",
    }
    fleet = Fleet(tmp_path, variables)
    yield fleet
    fleet.end()


@pytest.fixture
def ports() -> list[int]:
    if IN_CI and haproxy.find_binary() is None:
        install("haproxy")
    if haproxy.find_binary() is None:
        missing("no haproxy: install it")
    return [free_port() for _ in range(SERVERS)]


@dataclass
class Load:
    """Clients that start runs and follow them in every way there is, until they are told to stop."""

    url: str
    key: str
    stop: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """Ids of runs whose whole story a client has seen."""
    made: int = 0

    def next(self) -> dict[str, int]:
        self.made += 1
        return {"number": self.made, "parts": LONG if self.made % 10 == 0 else SHORT}

    def until_more(self) -> None:
        """Wait until clients have seen more runs to their end."""
        enough = len(self.ended) + MORE
        until(lambda: len(self.ended) >= enough, 60)

    def check(self, run_id: str, task: dict[str, int], output: object) -> None:
        assert output == {"number": task["number"], "done": list(range(task["parts"]))}
        self.ended.append(run_id)

    def waits(self) -> None:
        with Client(self.url, self.key) as client:
            while not self.stop.is_set():
                task = self.next()
                run = client.run("parts", task, wait=0.05)
                self.check(run.id, task, run.result(timeout=180))

    def is_waited_for(self) -> None:
        with Client(self.url, self.key) as client:
            while not self.stop.is_set():
                task = self.next()
                run = client.run_and_wait("parts", task)
                self.check(run.id, task, run.result(timeout=180))

    def streams(self) -> None:
        with Client(self.url, self.key) as client:
            while not self.stop.is_set():
                task = self.next()
                events = list(client.stream("parts", task))
                assert [event.seq for event in events] == list(range(1, len(events) + 1))
                ended = client.list_runs(agent="parts", limit=1)
                assert ended.items
                assert events[-1].data["to"] == "completed"

    async def follows(self, client: AsyncClient) -> None:
        while not self.stop.is_set():
            task = self.next()
            run = await client.run("parts", task)
            seqs = [event.seq async for event in run.events()]
            assert seqs == list(range(1, len(seqs) + 1))
            self.check(run.id, task, await run.result(timeout=180))

    async def awaits(self, client: AsyncClient) -> None:
        while not self.stop.is_set():
            task = self.next()
            run = await client.run("parts", task, priority=1)
            self.check(run.id, task, await run.result(timeout=180))

    async def together(self) -> None:
        async with AsyncClient(self.url, self.key) as client, asyncio.TaskGroup() as group:
            for work in (self.follows, self.follows, self.awaits):
                group.create_task(work(client))

    def goes_on(self) -> Iterator[None]:
        works = (self.waits, self.is_waited_for, self.streams, lambda: asyncio.run(self.together()))
        with ThreadPoolExecutor(len(works)) as pool:
            done = [pool.submit(work) for work in works]
            try:
                yield
            finally:
                self.stop.set()
            for each in done:
                each.result(timeout=240)


def fill_with_long_runs(load: Load) -> None:
    """Until every worker executes at least one, for longer than its grace time."""
    with Client(load.url, load.key) as client:
        runs = [client.run("parts", {**load.next(), "parts": LONGEST}, priority=10).id for _ in range(SLOTS)]
        until(lambda: sum(client.get_run(run).view.state == "running" for run in runs) > SLOTS - 2, 60)


def restarted(fleet: Fleet, platform: Platform, role: str, name: str, *, port: int = 0) -> Platform:
    result = platform.stop()
    assert result.status == 0, result.err
    return fleet.start(role, name, port=port)


def test_a_rolling_restart_loses_nothing_and_shows_no_client_an_error(fleet: Fleet, ports: list[int]) -> None:
    servers = [fleet.start("server", f"server-{port}", port=port) for port in ports]
    workers = [fleet.start("worker", f"worker-{number}") for number in range(WORKERS)]
    servers[0].ao.ok("deploy", str(project(fleet.root / "parts", "parts", agent=AGENT)))
    key = (servers[0].ao.home / "key").read_text()
    with haproxy.balancing(ports) as balancer:
        url = balancer.url
        load = Load(url, key)
        going = load.goes_on()
        next(going)
        load.until_more()
        for number, port in enumerate(ports):
            servers[number] = restarted(fleet, servers[number], "server", f"server-{port}", port=port)
            until(partial(balancer.asks, port), 60)
            load.until_more()
        fill_with_long_runs(load)
        for number in range(WORKERS):
            workers[number] = restarted(fleet, workers[number], "worker", f"worker-{number}")
        next(going, None)
        with Client(url, key) as client:
            runs = list(_all_runs(client))
            assert len(runs) == load.made
            assert {run.state for run in runs} == {"completed"}
            assert set(load.ended) <= {run.id for run in runs}
            more = [run.id for run in runs if run.attempt > 1]
            assert more, "no run was handed back: the test has tested nothing"
            for run_id in more:
                attempts = client.get_run(run_id).attempts()
                assert [attempt.kind for attempt in attempts] == [None] * (len(attempts) - 1) + ["completed"]
                assert client.get_run(run_id).view.failures == 0
                steps = client.get_run(run_id).steps()
                assert len({step.path for step in steps}) == len(steps)


def _all_runs(client: Client):  # type: ignore[no-untyped-def]
    cursor = None
    while True:
        page = client.list_runs(agent="parts", limit=100, cursor=cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return
