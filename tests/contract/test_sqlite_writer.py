"""How SQLite's one writer shares commits among writes, keeps them apart and ends."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from ao.domain.errors import AoError, InternalError
from ao.ids import new_run_id
from ao.store.records import NewRun, Payload, RunFilter
from ao.store.sql import open_sqlite, sqlite_writer
from ao.store.sql.engine import ClockOffset
from ao.testing.store_contract.harness import Harness


def new_run() -> NewRun:
    return NewRun(new_run_id(), "support", "prod", Payload("x"), "key:dev")


async def test_many_writes_share_a_commit(tmp_path: Path) -> None:
    """400 concurrent writes must not cost 400 syncs: the log grows by few commits."""
    store = await open_sqlite(tmp_path / "ao.db")
    with closing(sqlite3.connect(tmp_path / "ao.db")) as watcher:
        before = watcher.execute("PRAGMA data_version").fetchone()
        await asyncio.gather(*(store.runs.create(new_run()) for _ in range(400)))
        assert watcher.execute("PRAGMA data_version").fetchone() != before
    assert len(await store.runs.list(RunFilter(), 1000)) == 400
    await store.close()


async def test_a_run_is_claimed_in_the_commit_that_accepts_it(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "ao.db")
    harness = Harness(store, store, ClockOffset())
    await harness.deploy()
    worker = await harness.register()
    with closing(sqlite3.connect(tmp_path / "ao.db")) as watcher:
        creating = asyncio.ensure_future(store.runs.create(new_run()))
        await asyncio.sleep(0)
        claiming = asyncio.ensure_future(store.runs.claim(worker, 4))
        run_id = (await creating).run_id
        assert watcher.execute("SELECT run_id, state FROM run_head").fetchall() == [(run_id, "running")]
        assert [claim.run_id for claim in await claiming] == [run_id]
    await store.close()


@pytest.mark.parametrize("quick_seconds", [0.0, 60.0], ids=["slow disk", "quick disk"])
async def test_the_log_stays_short_while_runs_are_written_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_seconds: float
) -> None:
    monkeypatch.setattr(sqlite_writer, "_QUICK_SECONDS", quick_seconds)
    monkeypatch.setattr(sqlite_writer, "_CHECKPOINT_CHANGES", 100)
    store = await open_sqlite(tmp_path / "ao.db")
    for _ in range(20):
        await asyncio.gather(*(store.runs.create(new_run()) for _ in range(20)))
        assert len(await store.runs.list(RunFilter(), 5)) == 5
    assert (tmp_path / "ao.db-wal").stat().st_size < 4 << 20
    await store.close()
    with closing(sqlite3.connect(tmp_path / "ao.db")) as after:
        assert after.execute("SELECT count(*) FROM run").fetchone() == (400,)


async def test_large_rows_keep_the_log_short_too(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "ao.db")
    for _ in range(90):
        run = NewRun(new_run_id(), "support", "prod", Payload("x" * (1 << 20)), "key:dev")
        await store.runs.create(run)
    assert (tmp_path / "ao.db-wal").stat().st_size < 64 << 20
    await store.close()


async def test_a_lock_of_somebody_else_does_not_hold_up_the_event_loop(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "ao.db")
    with closing(sqlite3.connect(tmp_path / "ao.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        creating = [asyncio.ensure_future(store.runs.create(new_run())) for _ in range(3)]
        for _ in range(10):
            assert await store.runs.list(RunFilter(), 10) == []
        assert not any(each.done() for each in creating)
        other.execute("COMMIT")
    await asyncio.gather(*creating)
    assert len(await store.runs.list(RunFilter(), 10)) == 3
    await store.close()


async def test_a_defect_in_a_write_reaches_its_caller_alone(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "ao.db")
    broken = NewRun(new_run_id(), "support", "prod", Payload(object()), "key:dev")  # type: ignore[arg-type]
    answers = await asyncio.gather(
        store.runs.create(broken), store.runs.create(new_run()), return_exceptions=True
    )
    assert isinstance(answers[0], InternalError)
    assert len(await store.runs.list(RunFilter(), 10)) == 1
    await store.close()


async def test_half_a_surrogate_pair_is_refused_as_input(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "ao.db")
    with pytest.raises(AoError) as caught:
        await store.runs.create(NewRun(new_run_id(), "support", "prod", Payload("\ud800"), "key:dev"))
    assert caught.value.code == "invalid_input"
    await store.close()


async def test_closing_ends_every_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store = await open_sqlite(tmp_path / "ao.db")
    await asyncio.gather(*(store.agents.list() for _ in range(10)))
    await store.close()
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert [name for name in left if name.startswith("ao-store")] == []
