"""How long a claim takes on Postgres, with few and with many runs pending: through the store, without HTTP."""

import time
from collections.abc import Sequence

from ao.ids import WorkerId, new_deployment_id, new_worker_id
from ao.store.records import NewDeployment
from ao.store.sql import open_postgres
from ao.store.sql.engine import Tx
from ao.store.sql.store import SqlStore
from ao.testing.store_contract.harness import digest, release
from benchmarks.stats import Figure, durations

CLAIMS = 60
AT_ONCE = 4
AGENT = "pending"
LEASE_US = 3_600_000_000

_NUMBERED = "FROM (SELECT to_char(n, 'FM000000000') AS id FROM generate_series(:first, :last) n) numbered"
_FILL = (
    "INSERT INTO run (run_id, agent, environment, input, actor, created_us, priority, lineage) "
    f"SELECT id, :agent, 'prod', '1', 'bench', :now, 0, id {_NUMBERED}",
    "INSERT INTO run_head (run_id, state, fence, next_seq, attempt, failures, losses, cancel_requested, "
    f"active_us) SELECT id, 'pending', 0, 2, 0, 0, 0, 0, 0 {_NUMBERED}",
    f"INSERT INTO run_ready (run_id, rank, flow) SELECT id, 0, :agent {_NUMBERED}",
)
CHUNK = 50_000
"""Runs of one write, which has a minute."""


async def claims(url: str, pending: Sequence[int]) -> list[Figure]:
    """One figure for each number of pending runs, in ascending order."""
    store = await open_postgres(url)
    assert isinstance(store, SqlStore)
    try:
        building = await store.deployments.create(
            NewDeployment(new_deployment_id(), AGENT, "key:bench", digest("source"), "")
        )
        await store.deployments.succeed(building.id, release(building), None)
        worker_id = new_worker_id()
        await store.workers.register(worker_id, "bench", 1_000_000, "namespaces", LEASE_US)
        made, found = 0, []
        for amount in pending:
            await _fill(store, made, amount)
            made = amount
            seconds = [await _timed(store, worker_id) for _ in range(CLAIMS)]
            name = f"claim, {amount:,} pending"
            found.append(durations(name, "fleet", [seconds], f"{AT_ONCE} runs, through the store, Postgres"))
        return found
    finally:
        await store.close()


async def _timed(store: SqlStore, worker_id: WorkerId) -> float:
    began = time.perf_counter()
    claimed = await store.runs.claim(worker_id, AT_ONCE)
    seconds = time.perf_counter() - began
    if len(claimed) != AT_ONCE:
        raise AssertionError(f"{len(claimed)} runs were claimed, not {AT_ONCE}")
    return seconds


async def _fill(store: SqlStore, made: int, amount: int) -> None:
    for first in range(made + 1, amount + 1, CHUNK):
        last = min(first + CHUNK - 1, amount)

        def write(tx: Tx, first: int = first, last: int = last) -> None:
            for statement in _FILL:
                tx.run(statement, {"first": first, "last": last, "agent": AGENT})

        await store.engine.write(write)
    await store.engine.write(lambda tx: tx.run("ANALYZE run, run_head, run_ready", {}))
