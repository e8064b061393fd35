"""How fast the store is: `python benchmarks/store.py [--postgres URL] [--runs N] [--pending N …]` prints JSON.

SQLite with `synchronous=FULL` unless a Postgres URL is given. Rates are writes that were acknowledged,
so every one is on the disk. `raw_commits_per_second` is the same disk with one small commit at a time.
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

import uvloop

from ao.domain.event import EventKind, NewEvent
from ao.domain.outcome import AttemptOutcome, OutcomeKind
from ao.domain.retry import RetryPolicy
from ao.ids import Digest, RunId, WorkerId, new_deployment_id, new_run_id, new_worker_id
from ao.store import Store
from ao.store.records import BuiltRelease, Claim, FinishAttempt, NewDeployment, NewRun, Payload
from ao.store.sql import open_postgres, open_sqlite

AT_ONCE = 64
SLOTS = 8
LEASE_US = 3_600_000_000
INPUT = Payload(json.dumps({"question": "why " * 50}))
LOG = NewEvent(EventKind.LOG, 1, {"attempt": 1, "stream": "stdout", "lines": [[1, "working on it " * 5]] * 10})
STARTED = NewEvent(EventKind.ATTEMPT_STARTED, 1, {"attempt": 1, "sandbox": "namespaces", "degraded": []})
OUTCOME = AttemptOutcome(OutcomeKind.COMPLETED, '{"answer":42}', sandbox="namespaces", exit_code=0)


def new_run() -> NewRun:
    return NewRun(new_run_id(), "bench", "prod", INPUT, "key:bench")


async def each(items: Sequence[object], step: Callable[[object], Awaitable[object]]) -> float:
    """Items per second with `AT_ONCE` callers."""
    waiting = iter(items)

    async def caller() -> None:
        for item in waiting:
            await step(item)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return round(len(items) / (time.perf_counter() - started))


async def prepare(store: Store) -> WorkerId:
    deployment = await store.deployments.create(
        NewDeployment(new_deployment_id(), "bench", "key:bench", Digest("sha256:0"))
    )
    release = BuiltRelease(Digest("sha256:1"), "{}" * 500, "env", None, "", "{}")
    await store.deployments.succeed(deployment.id, release, None)
    worker_id = new_worker_id()
    await store.workers.register(worker_id, "bench", SLOTS, "namespaces", LEASE_US)
    return worker_id


async def writes(store: Store, worker_id: WorkerId, count: int) -> dict[str, float]:
    rates: dict[str, float] = {}
    rates["create"] = await each([new_run() for _ in range(count)], store.runs.create)  # type: ignore[arg-type]
    claims: list[Claim] = []
    started = time.perf_counter()
    while batch := await store.runs.claim(worker_id, SLOTS):
        claims += batch
    rates["claim_in_eights"] = round(len(claims) / (time.perf_counter() - started))
    for name, step in steps(store).items():
        rates[name] = await each(claims, step)
    assert len({claim.run_id for claim in claims}) == count
    return rates


def steps(store: Store) -> dict[str, Callable[..., Awaitable[object]]]:
    return {
        "append": lambda c: store.runs.append(c.run_id, c.fence, [LOG]),
        "finish": lambda c: store.runs.finish(report(c), OUTCOME, [LOG]),
        "get": lambda c: store.runs.get(c.run_id),
    }


def report(claim: Claim) -> FinishAttempt:
    return FinishAttempt(claim.run_id, claim.fence, RetryPolicy(), 0.5, Payload(OUTCOME.output))


async def whole_runs(store: Store, worker_id: WorkerId, count: int) -> float:
    """Runs per second from create to the end, as server and worker do it together."""
    done = asyncio.Event()
    left = count

    async def execute(claim: Claim) -> None:
        nonlocal left
        await store.runs.append(claim.run_id, claim.fence, [STARTED, LOG])
        await store.runs.finish(report(claim), OUTCOME, [])
        left -= 1
        if left == 0:
            done.set()

    async def work(tasks: asyncio.TaskGroup) -> None:
        while left:
            claims = await store.runs.claim(worker_id, SLOTS)
            for claim in claims:
                tasks.create_task(execute(claim))
            if not claims:
                await asyncio.sleep(0.001)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        worker = tasks.create_task(work(tasks))
        await each([new_run() for _ in range(count)], store.runs.create)  # type: ignore[arg-type]
        await done.wait()
        worker.cancel()
    return round(count / (time.perf_counter() - started))


async def claim_latency(path: Path, pending: int) -> dict[str, float]:
    """Milliseconds of claims of one and of eight, with so many runs waiting."""
    store = await open_sqlite(path)
    worker_id = await prepare(store)
    await store.close()
    fill(path, pending)
    store = await open_sqlite(path)
    result: dict[str, float] = {"pending": pending}
    for limit in (1, SLOTS):
        times = []
        for _ in range(200):
            started = time.perf_counter()
            assert len(await store.runs.claim(worker_id, limit)) == limit
            times.append((time.perf_counter() - started) * 1000)
        result[f"claim_{limit}_ms_p50"] = round(statistics.median(times), 3)
        result[f"claim_{limit}_ms_p99"] = round(statistics.quantiles(times, n=100)[-1], 3)
    await store.close()
    return result


def fill(path: Path, pending: int) -> None:
    """Pending runs by plain SQL: what is measured is the claim."""
    ids = [RunId(new_run_id()) for _ in range(pending)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for start in range(0, pending, 50_000):
            rows = [(run_id,) for run_id in ids[start : start + 50_000]]
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO run (run_id, agent, environment, input, actor, created_us, priority, lineage) "
                "VALUES (?, 'bench', 'prod', '{}', 'key:bench', 1, 0, '')",
                rows,
            )
            connection.executemany(
                "INSERT INTO run_head (run_id, state, fence, next_seq, attempt, failures, losses, "
                "cancel_requested, active_us) VALUES (?, 'pending', 0, 2, 0, 0, 0, 0, 0)",
                rows,
            )
            connection.executemany("INSERT INTO run_ready (rank, run_id) VALUES (0, ?)", rows)
            connection.execute("COMMIT")


def raw_commits(directory: Path) -> float:
    with closing(sqlite3.connect(directory / "raw.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE t (x)")
        started = time.perf_counter()
        for _ in range(500):
            connection.execute("INSERT INTO t VALUES (1)")
        return round(500 / (time.perf_counter() - started))


async def measure(options: argparse.Namespace, directory: Path) -> dict[str, object]:
    async def opened(name: str) -> Store:
        return await (open_postgres(options.postgres) if options.postgres else open_sqlite(directory / name))

    store = await opened("writes.db")
    worker_id = await prepare(store)
    result: dict[str, object] = {
        "database": "postgres" if options.postgres else "sqlite",
        "sqlite": sqlite3.sqlite_version,
        "python": sys.version.split()[0],
        "callers": AT_ONCE,
        "raw_commits_per_second": raw_commits(directory),
        "per_second": await writes(store, worker_id, options.runs),
        "whole_runs_per_second": await whole_runs(store, worker_id, options.runs),
    }
    await store.close()
    if not options.postgres:
        latencies = [await claim_latency(directory / f"{pending}.db", pending) for pending in options.pending]
        result["claim_latency"] = latencies
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", metavar="URL")
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--pending", type=int, nargs="*", default=[100_000, 1_000_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ao-bench-") as directory:
        print(json.dumps(uvloop.run(measure(options, Path(directory))), indent=2))


if __name__ == "__main__":
    main()
