"""Servers and workers as separate processes on one Postgres, with homes of their own."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.command import SECONDS, Ao
from tests.acceptance.fleet import Fleet, client_of, running_fleet
from tests.acceptance.projects import project
from tests.platform import until

from ao.testing.redis import RedisServer
from ao.testing.s3 import S3Server


@pytest.fixture
def fleet(tmp_path: Path, postgres_url: str, own_redis: RedisServer) -> Iterator[Fleet]:
    with running_fleet(tmp_path, {"AO_DATABASE_URL": postgres_url, "AO_REDIS_URL": own_redis.url}) as fleet:
        yield fleet


def test_what_one_server_was_told_workers_of_other_homes_execute(fleet: Fleet) -> None:
    tell_one_and_work_with_another(fleet)


def test_the_same_through_pgbouncer_with_blobs_in_s3(
    tmp_path: Path, postgres_url: str, pooled: Callable[[str], str], s3_server: S3Server, bucket: str
) -> None:
    variables = {
        "AO_DATABASE_URL": pooled(postgres_url),
        "AO_BLOBS": f"s3://{bucket}/ao",
        **s3_server.variables,
    }
    with running_fleet(tmp_path, variables) as fleet:
        tell_one_and_work_with_another(fleet)
        assert not (tmp_path / "first/blobs").exists()
        checks = {check["name"]: check for check in client_json(fleet, "doctor")["checks"]}
        assert checks["blobs"]["message"] == f"kept in s3://{bucket}/ao"
        assert client_json(fleet, "gc")["blobs"] == 0


def client_json(fleet: Fleet, command: str) -> Any:
    return fleet.platforms[0].ao.ok(command, "--json", **fleet.variables).json


def tell_one_and_work_with_another(fleet: Fleet) -> None:
    first, second = fleet.start("server", "first"), fleet.start("server", "second")
    assert second.ao.ok("workers").err.startswith("no worker is connected")
    first.ao.ok("secrets", "set", "TOKEN", stdin="swordfish-1234")
    first.ao.ok("deploy", str(project(fleet.root / "echo", "echo", extra='secrets = ["TOKEN"]')))
    waiting = second.ao.ok("run", "echo").out.strip()
    assert "no worker is connected" in second.ao.ok("show", waiting).out

    worker = fleet.start("worker", "worker")
    assert worker.facts["url"] is None
    assert worker.facts["slots"] == 2
    until(lambda: second.ao.ok("show", waiting, "--json").json["run"]["state"] == "completed")
    run = second.ao.ok("run", "echo", "--wait", "--json", "-i", json.dumps({"text": "x" * 100_000})).json
    assert run["output"]["token"] == "swordfish-1234"
    assert len(run["output"]["echo"]["text"]) == 100_000
    assert "hello from echo" in first.ao.ok("logs", run["id"]).out
    until(lambda: worker.ao("health").status == 0)
    assert worker.ao.ok("health", "--json").json["role"] == "worker"
    assert first.ao.ok("health", "--json").json["role"] == "server"
    (shown,) = first.ao.ok("workers", "--json").json["workers"]
    assert (shown["slots"], shown["alive"]) == (2, True)


def test_a_run_waits_for_the_worker_that_it_requires_and_says_so(fleet: Fleet) -> None:
    server = fleet.start("server", "server")
    plain = fleet.start("worker", "plain", "--memory", "16G")
    extra = '[placement]\nrequires = { gpu = "a100" }\nmemory = "64G"'
    server.ao.ok("deploy", str(project(fleet.root / "trainer", "trainer", extra=extra)))
    waiting = server.ao.ok("run", "trainer").out.strip()
    shown = server.ao.ok("show", waiting).out
    assert "needs label gpu=a100; no worker has it" in shown
    assert "needs 64 GiB of memory; the largest worker has 16 GiB of memory" in shown
    listed = server.ao.ok("workers").out
    assert "label gpu=a100 and 64 GiB of memory" in listed
    better = fleet.start("worker", "better", "--memory", "80G", "--label", "gpu=a100", "--label", "zone=eu")
    until(lambda: server.ao.ok("show", waiting, "--json").json["run"]["state"] == "completed")
    with client_of(server) as client:
        for worker in client.workers().workers:
            is_better = worker.labels == {"gpu": "a100", "zone": "eu"}
            assert worker.capacity.memory == (80 if is_better else 16) << 30
            if is_better:
                server.ao.ok("workers", "drain", worker.id)
        assert better.process.wait(SECONDS) == 0
        assert [worker.labels for worker in client.workers().workers] == [{}]
        assert plain.process.poll() is None


def test_runs_of_a_killed_worker_and_followers_of_a_killed_server_go_on(fleet: Fleet) -> None:
    doomed, server = fleet.start("server", "doomed"), fleet.start("server", "stays")
    workers = [fleet.start("worker", f"worker-{number}") for number in range(2)]
    doomed.ao.ok("deploy", str(project(fleet.root / "echo", "echo")))
    with client_of(doomed) as client:
        runs = [client.run("echo", {"wait": 2}).id for _ in range(6)]
    with client_of(server) as client:
        until(lambda: sum(worker.running for worker in client.status().workers) == 4)
        for victim in (doomed, workers[0]):
            victim.process.send_signal(signal.SIGKILL)
            victim.process.communicate(timeout=SECONDS)
        for run in runs:
            assert client.get_run(run).result(timeout=60)["echo"] == {"wait": 2}
        for dead, why in ((doomed, "does not answer"), (workers[0], "has no lease")):
            result = dead.ao("health")
            assert result.status == 7
            assert why in result.err
        until(lambda: [worker.running for worker in client.status().workers] == [0])

        last = client.run("echo", {"wait": 2})
        until(lambda: client.status().workers[0].running == 1)
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
