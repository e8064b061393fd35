"""What Postgres alone brings: lost connections, deadlocks, reserved connections, nothing kept in a session."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from ao.domain.errors import Conflict, Unavailable
from ao.ids import new_run_id, new_worker_id
from ao.store.records import NewRun, Payload
from ao.store.sql import workers
from ao.store.sql.agenda import LOOK
from ao.store.sql.claim_sql import PICK, PICK_FIRST
from ao.store.sql.engine import ClockOffset, Tx
from ao.store.sql.postgres import PostgresEngine
from ao.store.sql.store import SqlStore
from ao.testing.store_contract import Harness

TOUCH = "UPDATE meta SET value = value WHERE key = :key"


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[PostgresEngine]:
    engine = PostgresEngine(postgres_url, ClockOffset())
    yield engine
    await engine.close()


@pytest.fixture
def postgres_store(engine: PostgresEngine) -> SqlStore:
    return SqlStore(engine)


def new_run() -> NewRun:
    return NewRun(new_run_id(), "support", "prod", Payload("{}"), "key:dev")


def end_connections(url: str) -> None:
    """As a restart of the server or a firewall would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_one_run_that_is_held_keeps_no_other_from_being_taken_back(
    postgres_url: str, postgres_store: SqlStore
) -> None:
    """A worker that was cut off in the middle of a write may hold one for a while."""
    harness = Harness(postgres_store, postgres_store, ClockOffset())
    await harness.deploy()
    for _ in range(3):
        await harness.submit()
    worker_id = await harness.register()
    held, *others = (claim.run_id for claim in await harness.store.runs.claim(worker_id, 3))
    with psycopg.connect(postgres_url) as holder:
        holder.execute("UPDATE worker SET lease_until_us = 0")
        holder.commit()
        holder.execute("SELECT 1 FROM run_head WHERE run_id = %s FOR UPDATE", (held,))
        async with asyncio.timeout(60):
            assert sorted((await harness.store.workers.sweep(10)).requeued) == sorted(others)
            assert (await harness.store.workers.sweep(10)).requeued == []
    assert (await harness.store.workers.sweep(10)).requeued == [held]
    assert await harness.store.workers.list() == []


async def test_what_a_stopped_worker_holds_is_taken_from_it(
    postgres_url: str, postgres_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "ABANDONED_SECONDS", 0.2)
    harness = Harness(postgres_store, postgres_store, ClockOffset())
    worker_id, claim = await harness.running()
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("UPDATE worker SET lease_until_us = 0")
    stopped = psycopg.connect(postgres_url, autocommit=True, application_name="ao")
    with contextlib.suppress(psycopg.OperationalError), stopped, stopped.pipeline():
        stopped.execute("BEGIN")
        stopped.execute("SELECT 1 FROM worker WHERE worker_id = %s FOR UPDATE", (worker_id,))
        stopped.execute("SELECT 1 FROM run_head WHERE run_id = %s FOR UPDATE", (claim.run_id,))
        async with asyncio.timeout(60):
            while not (requeued := (await harness.store.workers.sweep(10)).requeued):  # noqa: ASYNC110 - no hint
                await asyncio.sleep(0.02)
        assert requeued == [claim.run_id]
    assert stopped.closed


class TestConnections:
    async def test_idle_connections_that_were_cut_are_replaced(
        self, engine: PostgresEngine, postgres_url: str
    ) -> None:
        store = SqlStore(engine)
        await asyncio.gather(*(store.check() for _ in range(20)))
        end_connections(postgres_url)
        await asyncio.gather(*(store.check() for _ in range(20)))
        assert await store.agents.list() == []

    async def test_a_write_cut_before_its_commit_is_repeated_and_happens_once(
        self, engine: PostgresEngine, postgres_url: str
    ) -> None:
        tries = []

        def write(tx: Tx) -> None:
            tries.append(1)
            tx.run("INSERT INTO meta (key, value) VALUES ('once', 'x')", {})
            if len(tries) == 1:
                end_connections(postgres_url)
            tx.run(TOUCH, {"key": "once"})

        await engine.write(write)
        assert len(tries) == 2

    async def test_an_unreachable_server_is_unavailable(self) -> None:
        engine = PostgresEngine("postgresql://ao@127.0.0.1:1/none", ClockOffset())
        with pytest.raises(Unavailable):
            await engine.read(lambda tx: tx.now_us)
        with pytest.raises(Unavailable):
            await engine.write(lambda tx: tx.now_us)
        await engine.close()

    async def test_a_deadlock_is_tried_again(self, engine: PostgresEngine) -> None:
        insert = "INSERT INTO meta (key, value) VALUES ('a', ''), ('b', '')"
        await engine.write(lambda tx: tx.run(insert, {}))
        tries: list[str] = []

        def crossing(first: str, second: str) -> Callable[[Tx], None]:
            def write(tx: Tx) -> None:
                tx.count(TOUCH, {"key": first})
                tries.append(first)  # it holds the lock
                while not {"a", "b"} <= set(tries):
                    tx.one("SELECT 1 FROM pg_sleep(0.01)", {})
                tx.run(TOUCH, {"key": second})

            return write

        await asyncio.gather(engine.write(crossing("a", "b")), engine.write(crossing("b", "a")))
        assert len(tries) == 3

    async def test_heartbeats_and_outcomes_do_not_wait_for_other_writes(
        self, engine: PostgresEngine, postgres_url: str
    ) -> None:
        store = SqlStore(engine)
        worker_id = new_worker_id()
        await store.workers.register(worker_id, "host", 1, "", 12_000_000)
        with psycopg.connect(postgres_url) as holder:
            holder.execute("SELECT pg_advisory_xact_lock(1)")
            lock = "SELECT 1 FROM pg_advisory_xact_lock(1)"
            stuck = [asyncio.ensure_future(engine.write(lambda tx: tx.one(lock, {}))) for _ in range(30)]
            await asyncio.wait_for(store.workers.heartbeat(worker_id, 12_000_000), 60)
            assert not any(each.done() for each in stuck)
            holder.rollback()
            await asyncio.gather(*stuck)

    async def test_what_is_asked_of_postgres_itself_is_prepared(self, engine: PostgresEngine) -> None:
        store = SqlStore(engine)
        for _ in range(40):
            await store.runs.create(new_run())
        texts = await engine.write(lambda tx: tx.all("SELECT statement FROM pg_prepared_statements", {}))
        assert any("INSERT INTO run_ready" in text for (text,) in texts)

    async def test_a_statement_that_fails_late_fails_the_write_and_leaves_nothing(
        self, engine: PostgresEngine
    ) -> None:
        twice = "INSERT INTO meta (key, value) VALUES ('twice', 'x')"

        def write(tx: Tx) -> None:
            tx.run(twice, {})
            tx.run(twice, {})

        for _ in range(5):
            with pytest.raises(Conflict):
                await engine.write(write)
        assert await engine.read(lambda tx: tx.one("SELECT 1 FROM meta WHERE key = 'twice'", {})) is None

    async def test_a_value_that_postgres_cannot_hold_is_refused_as_input(self, engine: PostgresEngine) -> None:
        store = SqlStore(engine)
        for text in ("\0", "\ud800"):
            with pytest.raises(Exception, match="refused a value") as caught:
                await store.runs.create(NewRun(new_run_id(), "support", "prod", Payload(text), "key:dev"))
            assert getattr(caught.value, "code", "") == "invalid_input"


PROBE: dict[str, object] = {"floor": -(1 << 62), "lowest": 1 << 62, "after": "", "limit": 8, "share": 2}


class TestClaimPlan:
    async def test_a_claim_reads_few_rows_of_many(self, engine: PostgresEngine) -> None:
        """With statistics and, as after a burst, without: the plan must not sort or scan what is pending."""
        some = "FROM (SELECT to_char(n, 'FM0000000') AS id FROM generate_series(1, 50000) n) numbered"
        fill = (
            f"INSERT INTO run_ready (run_id, rank, flow) SELECT id, 0, 'support' {some}",
            "INSERT INTO run_head (run_id, state, fence, next_seq, attempt, failures, losses, "
            f"cancel_requested, active_us) SELECT id, 'pending', 0, 2, 0, 0, 0, 0, 0 {some}",
            "INSERT INTO run (run_id, agent, environment, actor, created_us, priority, lineage) "
            f"SELECT id, 'support', 'prod', 'dev', 0, 0, '' {some}",
        )
        for statement in fill:
            await engine.write(lambda tx, statement=statement: tx.run(statement, {}))  # type: ignore[misc]
        for prepare, statement in itertools.product((None, "ANALYZE"), (PICK_FIRST, PICK)):
            if prepare is not None:
                await engine.write(lambda tx: tx.run("ANALYZE", {}))
            explain = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + statement
            rows = await engine.write(lambda tx, explain=explain: tx.all(explain, PROBE))  # type: ignore[misc]
            plan = "\n".join(row[0] for row in rows)
            for table in ("run_ready", "run_head", "run r"):
                assert f"Seq Scan on {table}" not in plan, plan
            assert "rows=50000" not in plan, plan


class TestLookPlan:
    async def test_a_look_at_what_is_due_reads_few_rows_of_many(self, engine: PostgresEngine) -> None:
        some = "FROM (SELECT n, to_char(n, 'FM0000000') AS id FROM generate_series(1, 50000) n) numbered"
        fill = (
            f"INSERT INTO run_delayed (run_id, due_us, rank) SELECT id, n, 0 {some}",
            f"INSERT INTO run_timer (run_id, due_us) SELECT id, n {some}",
            f"INSERT INTO run_blocked (run_id, rank) SELECT id, 0 {some}",
            "INSERT INTO run_placed (placement, rank, flow, run_id, agent, since_us) "
            f"SELECT 'p', 0, 'support', id, 'support', 0 {some}",
            "INSERT INTO webhook_delivery (delivery_id, run_id, agent, url, secret, state, created_us, due_us, "
            f"tries) SELECT id, id, 'support', 'u', 's', 'pending', 0, n, 0 {some}",
        )
        for statement in fill:
            await engine.write(lambda tx, statement=statement: tx.run(statement, {}))  # type: ignore[misc]
        explain = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + LOOK
        for prepare in ("SELECT 1", "ANALYZE"):
            await engine.write(lambda tx, prepare=prepare: tx.run(prepare, {}))  # type: ignore[misc]
            plan = "\n".join(row[0] for row in await engine.read(lambda tx: tx.all(explain, {})))
            assert "rows=50000" not in plan, plan
