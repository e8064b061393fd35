"""Servers and workers as separate processes on one Postgres, with homes of their own."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.acceptance.command import SECONDS, Ao, Platform
from tests.acceptance.projects import project
from tests.platform import until

from ao import Client
from ao.testing.redis import RedisServer


@dataclass
class Fleet:
    """What all of its processes are told, and the processes."""

    root: Path
    variables: dict[str, str]
    platforms: list[Platform] = field(default_factory=list)

    def start(self, role: str, name: str) -> Platform:
        """`ao server` or `ao worker` in a home of its own, ready."""
        ao = Ao(self.root / name, self.root)
        arguments = ["--port", "0"] if role == "server" else ["--slots", "2"]
        process = ao.start(role, *arguments, "--json", **self.variables)
        assert process.stdout is not None
        line = process.stdout.readline()
        if '"home"' not in line:
            raise AssertionError(f"ao {role} did not start: {line}{process.communicate(timeout=SECONDS)}")
        platform = Platform(ao, process, json.loads(line))
        self.platforms.append(platform)
        return platform


def client_of(server: Platform) -> Client:
    return Client(server.facts["url"], (server.ao.home / "key").read_text())


@pytest.fixture
def fleet(tmp_path: Path, postgres_url: str, own_redis: RedisServer) -> Iterator[Fleet]:
    variables = {
        "AO_DATABASE_URL": postgres_url,
        "AO_REDIS_URL": own_redis.url,
        "AO_BLOBS": str(tmp_path / "shared"),
        "AO_SECRETS_KEY": base64.b64encode(os.urandom(32)).decode(),
        "AO_LEASE_SECONDS": "4",
        "AO_HEARTBEAT_SECONDS": "1",
    }
    fleet = Fleet(tmp_path, variables)
    yield fleet
    for platform in fleet.platforms:
        if platform.process.poll() is None:
            assert platform.stop().status == 0
        platform.ao.end()


def test_what_one_server_was_told_workers_of_other_homes_execute(fleet: Fleet) -> None:
    first, second = fleet.start("server", "first"), fleet.start("server", "second")
    assert second.ao.ok("workers").err.startswith("no worker is connected")
    first.ao.ok("secrets", "set", "TOKEN", stdin="swordfish-1234")
    first.ao.ok("deploy", str(project(fleet.root / "echo", "echo", extra='secrets = ["TOKEN"]')))
    waiting = second.ao.ok("run", "echo").out.strip()
    assert "no worker is connected" in second.ao.ok("show", waiting).out

    worker = fleet.start("worker", "worker")
    assert worker.facts["url"] is None
    assert worker.facts["slots"] == 2
    until(lambda: second.ao.ok("show", waiting, "--json").json["run"]["state"] == "completed", 60)
    run = second.ao.ok("run", "echo", "--wait", "--json").json
    assert run["output"]["token"] == "swordfish-1234"
    assert "hello from echo" in first.ao.ok("logs", run["id"]).out
    (shown,) = first.ao.ok("workers", "--json").json
    assert (shown["slots"], shown["alive"]) == (2, True)


def test_runs_of_a_killed_worker_and_followers_of_a_killed_server_go_on(fleet: Fleet) -> None:
    doomed, server = fleet.start("server", "doomed"), fleet.start("server", "stays")
    workers = [fleet.start("worker", f"worker-{number}") for number in range(2)]
    doomed.ao.ok("deploy", str(project(fleet.root / "echo", "echo")))
    with client_of(doomed) as client:
        runs = [client.run("echo", {"wait": 2}).id for _ in range(6)]
    with client_of(server) as client:
        until(lambda: sum(worker.running for worker in client.status().workers) == 4, 60)
        for victim in (doomed, workers[0]):
            victim.process.send_signal(signal.SIGKILL)
            victim.process.communicate(timeout=SECONDS)
        for run in runs:
            assert client.get_run(run).result(timeout=60)["echo"] == {"wait": 2}
        assert [worker.running for worker in client.status().workers] == [0]

        last = client.run("echo", {"wait": 2})
        until(lambda: client.status().workers[0].running == 1, 60)
        assert workers[1].stop().status == 0  # it lets the run end
        assert last.result(timeout=60)["attempt"] == 1
        assert client.status().workers == []


@pytest.mark.parametrize("role", ["server", "worker"])
def test_a_process_that_nobody_could_work_with_does_not_start(alone: Ao, role: str) -> None:
    result = alone(role)
    assert result.status == 5
    for name in ("AO_DATABASE_URL", "AO_BLOBS", "AO_SECRETS_KEY"):
        assert name in result.err
    assert "use `ao up`" in result.err
