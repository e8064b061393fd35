"""Everything works through PgBouncer in transaction mode: the contract where connections matter most."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import NullPool, create_engine

from ao.domain.errors import Unavailable
from ao.ids import new_run_id, new_worker_id
from ao.store.records import NewRun, Payload, RunFilter
from ao.store.sql import migrate, open_postgres, postgres, postgres_migrating, revisions
from ao.store.sql.engine import ClockOffset, Tx
from ao.store.sql.postgres import PostgresEngine
from ao.store.sql.postgres_session import Patience, open_session
from ao.store.sql.store import SqlStore
from ao.testing import store_contract
from ao.testing.postgres import PostgresServer
from ao.testing.store_contract import Harness


@pytest.fixture
async def harness(postgres_url: str, pooled: Callable[[str], str]) -> AsyncIterator[Harness]:
    """Instead of the one that all other contract tests use."""
    offset = ClockOffset()
    store, replica = [await open_postgres(pooled(postgres_url), offset=offset) for _ in range(2)]
    yield Harness(store, replica, offset)
    for each in (store, replica):
        await each.close()


class TestClaiming(store_contract.Claiming):
    pass


class TestFences(store_contract.Fences):
    pass


class TestGating(store_contract.Gating):
    pass


class TestLeases(store_contract.Leases):
    pass


class TestProcesses(store_contract.Processes):
    pass


class TestSteps(store_contract.Steps):
    pass


class TestPooled:
    def test_a_pool_is_told_from_a_server(self, postgres_url: str, pooled: Callable[[str], str]) -> None:
        for url, expected in ((postgres_url, False), (pooled(postgres_url), True)):
            session = open_session(url, Patience(5, 6))
            assert session.own is not expected
            session.close()

    async def test_no_session_state_is_left_for_the_next_user_of_a_connection(
        self, postgres_url: str, pooled: Callable[[str], str]
    ) -> None:
        """No settings, no prepared statements, no locks."""
        engine = PostgresEngine(pooled(postgres_url), ClockOffset())
        store = SqlStore(engine)
        for _ in range(12):
            await store.runs.create(NewRun(new_run_id(), "support", "prod", Payload("{}"), "key:dev"))
            await store.runs.list(RunFilter(), 10)

        def leftovers(tx: Tx) -> list[object]:
            return [
                tx.all("SELECT name FROM pg_prepared_statements", {}),
                tx.all("SELECT 1 FROM pg_settings WHERE name = 'lock_timeout' AND setting <> reset_val", {}),
                tx.all("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'", {}),
            ]

        for found in await asyncio.gather(*(engine.read(leftovers, small=True) for _ in range(5))):
            assert found == [[], [], []]
        await engine.close()

    async def test_what_stands_for_itself_has_its_limits_and_begins_no_transaction(
        self,
        postgres_server: PostgresServer,
        postgres_url: str,
        pooled: Callable[[str], str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(postgres, "_FOR_URGENT", Patience(1, 6))
        engine = PostgresEngine(pooled(postgres_url), ClockOffset())
        store = SqlStore(engine)
        worker_id = new_worker_id()
        await store.workers.register(worker_id, "host", 1, "", 12_000_000)
        with postgres_server.telling_statements() as told:
            await store.workers.heartbeat(worker_id, 12_000_000)
            await store.agenda.look()
            statements = [" ".join(statement.split()) for statement in told()]
        kinds = [statement.split(" ", 1)[0] for statement in statements if "pg_backend_pid" not in statement]
        assert kinds == ["SELECT", "UPDATE", "SELECT"], statements
        with pytest.raises(Unavailable, match="statement timeout"):
            await engine.each(lambda tx: tx.one("SELECT 1 FROM pg_sleep(3)", {}), urgent=True)
        await engine.close()

    async def test_many_more_clients_than_connections_work_at_once(self, harness: Harness) -> None:
        await harness.deploy()
        await asyncio.gather(*(harness.submit() for _ in range(200)))
        found = await asyncio.gather(*(harness.replica.runs.list(RunFilter(), 300) for _ in range(20)))
        assert {len(runs) for runs in found} == {200}
        worker_id = await harness.register()
        claims = await harness.store.runs.claim(worker_id, 300)
        assert len(claims) == 200

    async def test_migrations_are_carried_out_through_the_pool(
        self, empty_postgres: str, pooled: Callable[[str], str]
    ) -> None:
        url = empty_postgres.replace("postgresql://", "postgresql+psycopg://")
        with create_engine(url, poolclass=NullPool).begin() as transaction:
            revisions.expand(transaction, "0013")
        stores = await asyncio.gather(*(open_postgres(pooled(empty_postgres)) for _ in range(4)))
        for store in stores:
            await store.check()
            await store.close()
        found = postgres_migrating.plan(pooled(empty_postgres)).found
        assert found is not None
        assert found.schema == migrate.HEAD
