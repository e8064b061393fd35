"""What becomes of a session when a job on it goes wrong: the next one must find it as if nothing had been."""

import asyncio
import contextlib
import select
import time
from collections.abc import AsyncIterator

import psycopg
import pytest
import uvloop

from ao.domain.errors import InvalidInput, Unavailable
from ao.store.sql.engine import ClockOffset, Tx
from ao.store.sql.postgres import PostgresEngine
from ao.store.sql.postgres_session import Session

END_ALL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
INSERT = "INSERT INTO meta (key, value) VALUES (:key, :value)"
READ = "SELECT value FROM meta WHERE key = :key"


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[PostgresEngine]:
    engine = PostgresEngine(postgres_url, ClockOffset())
    yield engine
    async with asyncio.timeout(60):
        await engine.close()


@pytest.mark.parametrize("text", ["\0", "\ud800"])
async def test_a_value_that_is_refused_with_the_commit_leaves_nothing_behind(
    engine: PostgresEngine, text: str
) -> None:
    def refused(tx: Tx) -> None:
        tx.count(INSERT, {"key": "before", "value": "x"})
        tx.run(INSERT, {"key": "refused", "value": text})

    with pytest.raises(InvalidInput):
        await engine.write(refused)
    await engine.write(lambda tx: tx.run(INSERT, {"key": "after", "value": "x"}))
    found = await engine.read(lambda tx: tx.all("SELECT key FROM meta WHERE value = 'x'", {}))
    assert found == [("after",)]


class Stopped(BaseException):
    """Like `SystemExit`, which a test's own loop would take for its own."""


@pytest.mark.parametrize("error", [Stopped(), StopIteration()])
async def test_whatever_a_write_raises_reaches_its_caller_and_ends_no_connection(
    engine: PostgresEngine, error: BaseException
) -> None:
    def stop(tx: Tx) -> None:
        tx.count(INSERT, {"key": "stopped", "value": "x"})
        raise error

    async with asyncio.timeout(60):
        for _ in range(20):  # more often than there are connections
            with pytest.raises((Stopped, RuntimeError)):
                await engine.write(stop)
        assert await engine.read(lambda tx: tx.one(READ, {"key": "stopped"}), small=True) is None


async def test_an_answer_that_nobody_waited_for_is_given_to_nobody_else(engine: PostgresEngine) -> None:
    """A job that is ended while it waits."""
    await engine.write(lambda tx: tx.run(INSERT, {"key": "here", "value": "x"}))

    def stop(tx: Tx) -> None:
        tx._wait = _stopping  # type: ignore[attr-defined]
        tx.one("SELECT 'another'", {})

    for _ in range(3):
        with pytest.raises(Stopped):
            await engine.read(stop, small=True)
        assert await engine.read(lambda tx: tx.one(READ, {"key": "here"}), small=True) == ("x",)


def _stopping(*_: object) -> None:
    raise Stopped


STALE = {
    "the result of a statement has changed": "ALTER TABLE meta ADD COLUMN another integer",
    "the type of a parameter has changed": "ALTER TABLE meta ALTER COLUMN value TYPE varchar(1000)",
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE)
async def test_a_schema_that_changes_under_prepared_statements_is_no_failure(
    engine: PostgresEngine, postgres_url: str, change: str
) -> None:
    await engine.write(lambda tx: tx.run(INSERT, {"key": "here", "value": "x"}))
    everything = "SELECT * FROM meta WHERE key = :key"

    async def found() -> set[str]:
        write = await engine.write(lambda tx: tx.one(everything, {"key": "here"}))
        small = await engine.read(lambda tx: tx.one(everything, {"key": "here"}), small=True)
        large = await engine.read(lambda tx: tx.one(everything, {"key": "here"}))
        return {row[1] for row in (write, small, large) if row is not None}

    for _ in range(5):
        assert await found() == {"x"}
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(change)
    for _ in range(5):
        assert await found() == {"x"}


@pytest.mark.parametrize("order", ["DISCARD ALL", "DEALLOCATE ALL"])
async def test_statements_that_are_gone_are_prepared_anew(engine: PostgresEngine, order: str) -> None:
    for _ in range(3):
        await engine.each(lambda tx: tx.run(order, {}))
        for number in range(4):
            key = f"{order} {number} {_}"
            await engine.write(lambda tx, key=key: tx.run(INSERT, {"key": key, "value": "x"}))  # type: ignore[misc]
            assert await engine.read(lambda tx, key=key: tx.one(READ, {"key": key}), small=True) == ("x",)  # type: ignore[misc]


async def test_an_answer_that_comes_while_the_rest_is_sent_is_not_waited_for_again(
    engine: PostgresEngine,
) -> None:
    def late(session: Session, write: bool) -> None:
        """All has been sent, and the answer is here, when it returns."""
        while write and session._pg.flush():
            select.select([session.fileno], [session.fileno], [])
            session._pg.consume_input()
        readable, _, _ = select.select([session.fileno], [], [], 60)
        assert readable, "nothing is to come"
        time.sleep(0.2)

    def ask(tx: Tx) -> object:
        tx._wait = late  # type: ignore[attr-defined]
        return tx.one("SELECT LENGTH(CAST(:large AS text))", {"large": "x" * 10_000_000})

    assert await engine.read(ask) == (10_000_000,)


def end_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(END_ALL)


def test_connections_that_are_cut_in_the_middle_of_what_is_said_keep_nobody_waiting(postgres_url: str) -> None:
    """On the loop of servers and workers, which stops listening to a socket once it has told of its error."""

    async def write(engine: PostgresEngine, key: str) -> None:
        large = {"key": key, "value": "x" * 300_000}

        def insert(tx: Tx) -> None:
            tx.count(INSERT, large)
            tx.one(READ, {"key": key})

        with contextlib.suppress(Unavailable):  # lost in a commit
            await engine.write(insert)

    async def writes_go_on() -> None:
        engine = PostgresEngine(postgres_url, ClockOffset())
        for round in range(8):
            writing = [asyncio.create_task(write(engine, f"{round}-{number}")) for number in range(16)]
            await asyncio.sleep(0.004 * round)
            await asyncio.to_thread(end_all, postgres_url)
            await asyncio.gather(*writing)
        await engine.close()

    async def in_time() -> None:
        async with asyncio.timeout(120):
            await writes_go_on()

    uvloop.run(in_time())
