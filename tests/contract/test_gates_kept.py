"""Tables of gates and turns: nothing is left of runs that ended, and nothing is lost on the way."""

from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, text

from ao.ids import RunId
from ao.store.gates import Gate, Hold
from ao.store.sql import open_sqlite, revisions
from ao.store.sql.engine import ClockOffset
from ao.store.sql.salvage import salvage
from ao.store.sql.store import SqlStore
from ao.testing.store_contract import Harness
from ao.testing.store_contract.harness import COMPLETED, failed

GATES = [Gate("key:support:acme", 1, Hold.RUNNING), Gate("session:one", 1, Hold.OPEN)]

_OLD_RUNS = """
INSERT INTO run (run_id, agent, environment, actor, created_us, priority, lineage, concurrency_key)
VALUES ('a', 'support', 'prod', '', 0, 2, '', NULL), ('b', 'support', 'prod', '', 0, 0, '', 'acme')"""


async def rows_of_gates(harness: Harness) -> list[int]:
    assert isinstance(harness.store, SqlStore)
    counts = "SELECT (SELECT COUNT(*) FROM gate), (SELECT COUNT(*) FROM run_gate)"
    row = await harness.store.engine.read(lambda tx: tx.one(counts, {}))
    assert row is not None
    return list(row)


async def test_runs_that_ended_leave_no_row(harness: Harness) -> None:
    await harness.deploy()
    worker_id = await harness.register()
    made = [(await harness.store.runs.create(harness.new_run(gates=GATES))).run_id for _ in range(5)]
    await harness.store.runs.cancel(made[3], "key:ops")
    await harness.finish(await harness.claim_one(worker_id), COMPLETED)
    await harness.finish(await harness.claim_one(worker_id), failed())
    await harness.store.runs.cancel(made[1], "key:ops")
    await harness.finish(await harness.claim_one(worker_id), failed(permanent=True))
    assert await rows_of_gates(harness) == [2, 2]
    await harness.store.runs.cancel(made[4], "key:ops")
    assert await rows_of_gates(harness) == [0, 0]


async def test_a_salvaged_database_goes_on_with_its_gates(tmp_path: Path) -> None:
    offset = ClockOffset()
    store = await open_sqlite(tmp_path / "ao.db", offset=offset)
    harness = Harness(store, store, offset)
    await harness.deploy()
    made = [(await store.runs.create(harness.new_run(gates=GATES[:1]))).run_id for _ in range(3)]
    await harness.claim_one(await harness.register())
    await store.close()
    salvage(tmp_path / "ao.db", tmp_path / "new.db")
    saved = await open_sqlite(tmp_path / "new.db", offset=offset)
    harness = Harness(saved, saved, offset)
    try:
        harness.advance(13)
        assert (await saved.workers.sweep(10)).requeued == made[:1]
        await saved.runs.promote_due(10)
        assert await saved.workers.counts() == {"ready": 1, "delayed": 0, "waiting": 2, "running": 0}
        worker_id = await harness.register()
        done: list[RunId] = []
        for _ in made:
            claim = await harness.claim_one(worker_id)
            await harness.finish(claim, COMPLETED)
            done.append(claim.run_id)
        assert done == made
        assert await rows_of_gates(harness) == [0, 0]
    finally:
        await saved.close()


def test_what_waits_in_an_older_database_keeps_its_place(tmp_path: Path) -> None:
    engine: Engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}", poolclass=NullPool)
    with engine.begin() as connection:
        revisions.expand(connection, "0013")
        connection.execute(text(_OLD_RUNS))
        connection.execute(text("INSERT INTO run_ready (rank, run_id) VALUES (-2, 'a'), (0, 'b')"))
        revisions.upgrade(connection)
        found = connection.execute(text("SELECT rank, flow, run_id FROM run_ready ORDER BY rank")).fetchall()
    assert [tuple(row) for row in found] == [(-2, "support", "a"), (0, "support:acme", "b")]
