"""Migrations in two parts, on a Postgres database that other processes work on."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine
from tests.migrations import NEXT, NOW, add_migration

from ao.domain.errors import Conflict, SchemaTooNew, SchemaTooOld, Unavailable
from ao.ids import new_process_id
from ao.store.sql import migrate, open_postgres, postgres_migrating, revisions
from ao.store.sql.migrate import Step
from ao.store.sql.postgres_opening import make_current

COLUMN = "op.execute('ALTER TABLE run ADD COLUMN added INTEGER')"
DROP = "def contract():\n    op.execute('ALTER TABLE run DROP COLUMN added')\n"
ADDED = [Step(NEXT, "Added.")]


def columns(url: str) -> set[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'run'"
    with closing(psycopg.connect(url)) as connection:
        return {name for (name,) in connection.execute(query)}


async def test_the_earlier_version_works_beside_the_pre_part(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = await open_postgres(postgres_url)
    await earlier.processes.join(process := new_process_id(), "server", "box")
    add_migration(tmp_path, monkeypatch, COLUMN)
    plan = postgres_migrating.plan(postgres_url)
    assert (plan.pre, plan.post, plan.beside) == (ADDED, [], True)
    assert "added" not in columns(postgres_url)

    assert postgres_migrating.expand(postgres_url) == ADDED
    assert postgres_migrating.expand(postgres_url) == ()
    assert "added" in columns(postgres_url)
    monkeypatch.setattr(migrate, "HEAD", NOW)  # the earlier version
    await earlier.processes.beat(process, "server", "box")
    await (await open_postgres(postgres_url)).close()
    await earlier.close()


async def test_the_post_part_waits_until_no_earlier_version_is_at_work_and_ends_those_that_come(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_migrating, "BEAT_SECONDS", 0.05)
    store = await open_postgres(postgres_url)
    await store.processes.join(process := new_process_id(), "worker", "box-7")
    add_migration(tmp_path, monkeypatch, COLUMN, DROP)
    with pytest.raises(Conflict, match="not " + NEXT):
        postgres_migrating.contract(postgres_url)
    postgres_migrating.expand(postgres_url)
    with pytest.raises(Conflict, match=r"at work: worker on box-7 \(AO ") as caught:
        postgres_migrating.contract(postgres_url)
    assert caught.value.details["min_reader"] == NEXT
    monkeypatch.setattr(migrate, "HEAD", NOW)
    await store.processes.beat(process, "worker", "box-7")  # it was not ended for nothing

    await store.processes.leave(process)
    monkeypatch.setattr(migrate, "HEAD", NEXT)
    assert postgres_migrating.contract(postgres_url) == ADDED
    assert postgres_migrating.contract(postgres_url) == ()
    assert "added" not in columns(postgres_url)
    monkeypatch.setattr(migrate, "HEAD", NOW)
    with pytest.raises(SchemaTooNew):
        await store.processes.beat(process, "worker", "box-7")
    with pytest.raises(SchemaTooNew, match=f"older than schema {NEXT}"):
        await open_postgres(postgres_url)
    await store.close()


async def test_a_migration_that_breaks_the_earlier_version_is_refused_while_it_is_at_work(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_postgres(postgres_url)
    await store.processes.join(process := new_process_id(), "up", "box")
    add_migration(tmp_path, monkeypatch, COLUMN, "breaks_earlier = True")
    assert not postgres_migrating.plan(postgres_url).beside
    with pytest.raises(Conflict, match="at work: up on box"):
        await open_postgres(postgres_url)
    await store.processes.leave(process)
    await (await open_postgres(postgres_url)).close()
    monkeypatch.setattr(migrate, "HEAD", NOW)
    with pytest.raises(SchemaTooNew):
        await store.processes.join(process, "up", "box")
    await store.close()


def test_workers_of_before_releases_were_known_hold_the_upgrade_back(empty_postgres: str) -> None:
    engine = create_engine(empty_postgres.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as transaction:
        revisions.expand(transaction, "0017")
        transaction.exec_driver_sql(
            "INSERT INTO worker (worker_id, name, slots, sandbox, started_us, heartbeat_us, lease_until_us) "
            f"VALUES ('w', 'box-3', 1, '', 0, 0, {1 << 62})"
        )
    with pytest.raises(Conflict, match="at work: worker on box-3"):
        make_current(empty_postgres)
    with engine.begin() as transaction:
        transaction.exec_driver_sql("DELETE FROM worker")
    plan = postgres_migrating.plan(empty_postgres)
    assert plan.found is not None
    assert (plan.found.schema, plan.found.min_reader, plan.beside) == ("0017", "0017", False)
    make_current(empty_postgres)
    after = postgres_migrating.plan(empty_postgres)
    assert after.found is not None
    assert (after.found.schema, after.found.min_reader >= migrate.PROCESSES_SINCE) == (migrate.HEAD, True)


def test_who_migrates_together_migrates_once(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_migration(tmp_path, monkeypatch, COLUMN)
    with ThreadPoolExecutor(4) as pool:
        done = [*pool.map(postgres_migrating.expand, [postgres_url] * 4)]
    assert sorted(map(len, done)) == [0, 0, 0, 1]


def test_others_do_not_wait_behind_a_migration_that_waits(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_migrating, "_SHORT", "SET LOCAL lock_timeout = '100ms'")
    add_migration(tmp_path, monkeypatch, COLUMN)
    waiting = threading.Event()

    def pause(_low: float, _high: float) -> float:
        waiting.set()
        return 0.05

    monkeypatch.setattr(random, "uniform", pause)
    with closing(psycopg.connect(postgres_url)) as long, ThreadPoolExecutor(1) as pool:
        long.execute("SELECT COUNT(*) FROM run")  # and its transaction goes on
        migrating = pool.submit(postgres_migrating.expand, postgres_url)
        assert waiting.wait(30)
        with closing(psycopg.connect(postgres_url)) as other:
            other.execute("SET lock_timeout = '5s'")
            for _ in range(20):
                other.execute("SELECT COUNT(*) FROM run")
                other.commit()
        assert not migrating.done()
        long.rollback()
        assert migrating.result(30) == ADDED


def test_a_migration_that_never_gets_its_locks_says_what_to_do(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_migrating, "_SHORT", "SET LOCAL lock_timeout = '50ms'")
    monkeypatch.setattr(postgres_migrating, "PATIENCE_SECONDS", 0.0)
    add_migration(tmp_path, monkeypatch, COLUMN)
    with closing(psycopg.connect(postgres_url)) as long:
        long.execute("SELECT COUNT(*) FROM run")
        with pytest.raises(Unavailable, match="did not get its locks") as caught:
            postgres_migrating.expand(postgres_url)
    assert "pg_stat_activity" in caught.value.hint
    assert postgres_migrating.plan(postgres_url).pre == ADDED


async def test_where_servers_may_not_migrate_they_name_the_command(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_migration(tmp_path, monkeypatch, COLUMN)
    with pytest.raises(SchemaTooOld) as caught:
        await open_postgres(postgres_url, upgrade=False)
    assert (NOW in caught.value.message, "ao migrate --pre" in caught.value.hint) == (True, True)
