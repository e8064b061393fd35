"""Workers whose disk is full, or has what nobody uses any more."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.command import Platform
from tests.acceptance.fleet import Fleet, client_of, running_fleet
from tests.acceptance.projects import AGENT, project
from tests.platform import until
from tests.small_disk import small_disk

from ao import Client
from ao.testing.redis import RedisServer


@pytest.fixture
def fleet(tmp_path: Path, postgres_url: str, own_redis: RedisServer) -> Iterator[Fleet]:
    with running_fleet(tmp_path, {"AO_DATABASE_URL": postgres_url, "AO_REDIS_URL": own_redis.url}) as fleet:
        yield fleet


def test_a_worker_whose_disk_is_full_hands_its_runs_to_others_and_takes_none_until_there_is_room(
    fleet: Fleet,
) -> None:
    with small_disk(fleet.root / "full", "32m") as disk:
        server, full = fleet.start("server", "server"), fleet.start("worker", "full")
        disk.fill()
        server.ao.ok("deploy", str(project(fleet.root / "echo", "echo")))
        with client_of(server) as client:
            runs = [client.run("echo", {}) for _ in range(6)]
            until(lambda: client.workers().workers[0].hold != "")
            (shown,) = client.workers().workers
            assert shown.hold.startswith("its disk is full (")
            until(lambda: "no worker takes it now" in server.ao.ok("show", runs[0].id).out)
            assert "handed back by its worker; not counted" in server.ao.ok("show", runs[0].id).out
            assert "hands the run back: its disk is full" in server.ao.ok("logs", runs[0].id).out
            told = server.ao.ok("workers")
            assert "holds" in told.out
            assert "takes nothing now: its disk is full" in told.err
            assert "takes nothing now: its disk is full" in server.ao("doctor").out

            other = fleet.start("worker", "other")
            for run in runs:
                assert run.result(timeout=60)["attempt"] <= 2  # without retries: the first one cost none
            disk.free()
            until(lambda: all(worker.hold == "" for worker in client.workers().workers))
            assert other.stop().status == 0
            assert client.run("echo", {}).result(timeout=60)["attempt"] == 1
        assert full.stop().status == 0


def test_gc_makes_a_workers_home_smaller_and_what_runs_goes_on(fleet: Fleet) -> None:
    server, worker = fleet.start("server", "server"), fleet.start("worker", "worker")
    large = project(fleet.root / "large", "large")
    (large / "data").mkdir()
    with client_of(server) as client:
        for version in (1, 2, 3):
            (large / "data" / "file").write_bytes(bytes([version]) * 1_000_000)
            client.deploy(large).wait()
            assert client.run("large", {}).result(timeout=60)["attempt"] == 1
        client.deploy(project(fleet.root / "slow", "slow")).wait()
        slow = client.run("slow", {"wait": 600})
        until(lambda: client.workers().workers[0].running == 1)
        for number in (2, 3):  # its version is neither live nor the one before
            agent = f"# {number}\n{AGENT}"
            client.deploy(project(fleet.root / "slow", "slow", agent=agent)).wait()
        unused, used = unpacked(worker, client, "large", 1), unpacked(worker, client, "slow", 1)
        assert unused.is_dir()
        for path in unused.parent.iterdir():  # nobody has used them for an hour
            os.utime(path, (time.time() - 3600,) * 2)
        server.ao.ok("gc")
        until(lambda: not unused.exists())
        assert used.is_dir()
        assert unpacked(worker, client, "large", 3).is_dir()
        view = slow.refresh().view
        assert (view.state, view.attempt) == ("running", 1)
        slow.cancel()
        server.ao.ok("rollback", "large", "--to", "v1")
        assert client.run("large", {}).result(timeout=60)["attempt"] == 1
        assert unused.is_dir()


def unpacked(worker: Platform, client: Client, agent: str, version: int) -> Path:
    digest = client.deployment(agent, version).view.digest
    assert digest is not None
    return worker.ao.home / "releases" / digest.removeprefix("sha256:")
