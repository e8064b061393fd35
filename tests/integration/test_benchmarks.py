"""`make bench` works and says what it promises; how fast this machine is, no test can know."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from benchmarks import closed_loop, isolation, source, stats
from benchmarks.peers.contenders import CONTENDERS
from benchmarks.peers.drivers.order import Order, measure
from benchmarks.peers.environments import LOCKS
from benchmarks.witness import STAGES

ROOT = Path(__file__).resolve().parents[2]


def test_a_quick_benchmark_writes_figures_ratios_and_checks(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert document["schema"] == 1
    assert document["quick"] is True
    assert document["settings"]["sqlite"] == {
        "journal_mode": "wal",
        "synchronous": 2,
        "journal_size_limit": document["settings"]["sqlite"]["journal_size_limit"],
    }
    assert document["host"]["cores"] >= 1
    assert document["versions"]["ao-platform"]
    figures = {figure["name"]: figure for figure in document["figures"]}
    wanted = {"fork + wait", "SQLite commit", "sandbox up", "submit → result", "throughput", "deploy", "accept"}
    wanted |= {"checkpoint", "steps", "rollback → result"}
    assert wanted <= set(figures)
    for name, figure in figures.items():
        # A stage lies between stamps of two processes: where it takes no time it may come out below zero.
        assert name in STAGES or figure["min"] > 0
        assert figure["min"] <= figure["median"] <= figure["p95"] <= figure["p99"] <= figure["max"]
        once = name.startswith("claim, ")  # a long queue is made once
        assert len(figure["rounds"]) == (1 if once else document["settings"]["rounds"])
    assert document["settings"]["rounds"] >= 2
    assert all(ratio["min"] <= ratio["median"] <= ratio["max"] for ratio in document["ratios"])
    assert "submit → result" in done.stdout
    assert document["idle"]["memory_bytes"] > 0
    assert document["rollbacks"]["runs"] == document["settings"]["rounds"]
    checks = document["checks"]
    assert checks["distinct_results"] == checks["runs"] > 0
    if document["settings"]["sandbox"] == "namespaces":
        assert checks["namespaces"]["pairs_alive_together"] > 0
        assert set(checks["namespaces"]["own_kinds"]) >= set(isolation.OWN)


def test_two_living_runs_in_one_namespace_are_found() -> None:
    host = dict.fromkeys(isolation.OWN, 1)
    first = isolation.Stay("a", 0.0, 2.0, dict.fromkeys(isolation.OWN, 7))
    second = isolation.Stay("b", 1.0, 3.0, {**dict.fromkeys(isolation.OWN, 8), "net": 7})
    with pytest.raises(isolation.Shared, match="run b shared its net namespace with a"):
        isolation.check([first, second], host)
    later = isolation.Stay("c", 2.0, 3.0, dict.fromkeys(isolation.OWN, 7))
    assert isolation.check([first, later], host)["pairs_alive_together"] == 0
    with pytest.raises(isolation.Shared, match="with the host"):
        isolation.check([isolation.Stay("d", 0.0, 1.0, host)], host)


async def test_a_wrong_result_is_no_measurement() -> None:
    async def always_three(number: int) -> int:
        return 3

    with pytest.raises(closed_loop.WrongResult, match="run 2 gave 3, not 5"):
        await closed_loop.drive(always_three, range(1, 4), 1)


async def test_a_loop_runs_every_number_once_with_all_its_clients() -> None:
    seen: list[int] = []

    async def work(number: int) -> int:
        seen.append(number)
        return closed_loop.expected(number)

    load = await closed_loop.drive(work, range(10, 50), 8)
    assert sorted(seen) == list(range(10, 50))
    assert len(load.seconds) == 40
    assert load.rate > 0


def test_percentiles_lie_between_the_nearest_ranks() -> None:
    assert stats.percentile([4, 1, 3, 2], 50) == 2.5
    assert stats.percentile([7], 99) == 7
    assert stats.percentile(range(101), 95) == 95


def test_ratios_compare_within_a_round() -> None:
    slow = stats.durations("slow", "", [[0.002], [0.020], [0.200]])
    fast = stats.durations("fast", "", [[0.001], [0.010], [0.100]])
    found = stats.ratio(slow, fast)
    assert (found.median, found.min, found.max) == pytest.approx((2.0, 2.0, 2.0))


def test_every_contender_has_a_driver_and_a_lock_with_hashes() -> None:
    drivers = ROOT / "benchmarks" / "peers" / "drivers"
    for each in CONTENDERS:
        assert (drivers / f"{each.driver}.py").is_file()
        if each.package:
            assert "--hash=sha256:" in (LOCKS / f"{each.package}.txt").read_text()
    assert len({each.name for each in CONTENDERS}) == len(CONTENDERS)


async def test_a_driver_measures_each_task_alone_and_in_a_burst(tmp_path: Path) -> None:
    async def work(number: int) -> int:
        return closed_loop.expected(number)

    @asynccontextmanager
    async def contender(order: Order) -> AsyncIterator[dict[str, closed_loop.Run]]:
        yield {"noop": work}

    order = Order("any", str(tmp_path), ["noop"], 3, 12, 4, 5.0, 100)
    answer = await measure(contender, order)
    assert len(answer.tasks["noop"].alone) == 3
    assert len(answer.tasks["noop"].burst) == 12
    assert answer.tasks["noop"].burst_elapsed > 0


def test_figures_of_two_versions_are_refused() -> None:
    assert source.unchanged_since(source.digest()) == source.digest()
    with pytest.raises(source.Changed, match="was 0123 at the start"):
        source.unchanged_since("0123")
