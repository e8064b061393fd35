"""A Postgres that hangs: whoever waits for it gives up in time, and goes on with one that answers."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
import uvloop

from ao.domain.errors import Unavailable
from ao.store.sql import postgres, postgres_lanes, postgres_session
from ao.store.sql.engine import ClockOffset, Tx
from ao.store.sql.postgres import PostgresEngine
from ao.store.sql.postgres_session import Patience
from ao.testing.postgres import PostgresServer

SILENCE = 0.5
INSERT = "INSERT INTO meta (key, value) VALUES (:key, 'x')"
COUNT = "SELECT COUNT(*) FROM meta WHERE key = :key"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FOR_WRITES", "_FOR_URGENT", "_FOR_READS"):
        monkeypatch.setattr(postgres, name, Patience(5, SILENCE))
    monkeypatch.setattr(postgres_session, "_OPENING_SECONDS", SILENCE)


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[PostgresEngine]:
    engine = PostgresEngine(postgres_url, ClockOffset())
    yield engine
    async with asyncio.timeout(20):
        await engine.close()


@contextlib.contextmanager
def stopped(url: str) -> Iterator[None]:
    """Those of its processes that serve connections which are there now."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    with stopping([pid for (pid,) in rows]):
        yield


@contextlib.contextmanager
def all_stopped(server: PostgresServer) -> Iterator[None]:
    """Also those that are only being started."""
    with stopping([server.pid]):
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        with stopping([int(pid) for pid in children]):
            yield


@contextlib.contextmanager
def stopping(pids: Sequence[int]) -> Iterator[None]:
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


Asks = Callable[[PostgresEngine, Callable[[Tx], object]], Awaitable[object]]
ASKS: dict[str, Asks] = {
    "a write": lambda engine, fn: engine.write(fn),
    "a heartbeat": lambda engine, fn: engine.each(fn, urgent=True),
    "a small read": lambda engine, fn: engine.read(fn, small=True),
    "a long read": lambda engine, fn: engine.read(fn),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_one_connection_that_hangs_is_left_for_another(
    engine: PostgresEngine, postgres_url: str, ask: Asks
) -> None:
    def count(tx: Tx) -> object:
        return tx.one(COUNT, {"key": "nothing"})

    assert await ask(engine, count) == (0,)
    with stopped(postgres_url):
        async with asyncio.timeout(20 * SILENCE):
            assert await ask(engine, count) == (0,)


async def test_a_write_that_hangs_before_its_commit_happens_once(
    engine: PostgresEngine, postgres_url: str
) -> None:
    with contextlib.ExitStack() as stack:
        tries: list[int] = []

        def write(tx: Tx) -> None:
            tries.append(tx.count(INSERT, {"key": f"try {len(tries)}"}))
            if len(tries) == 1:
                stack.enter_context(stopped(postgres_url))
            tx.count(INSERT, {"key": "once"})

        await engine.write(write)
    found = await engine.read(lambda tx: tx.all("SELECT key FROM meta WHERE value = 'x' ORDER BY key", {}))
    assert found == [("once",), ("try 1",)]


async def test_a_commit_that_hangs_is_told_as_unknown(engine: PostgresEngine, postgres_url: str) -> None:
    with contextlib.ExitStack() as stack:

        def write(tx: Tx) -> None:
            tx.count(INSERT, {"key": "unknown"})
            stack.enter_context(stopped(postgres_url))

        with pytest.raises(Unavailable) as caught:
            await engine.write(write)
    assert caught.value.details == {"outcome": "unknown"}


async def test_a_pool_whose_server_hangs_keeps_nobody_waiting(
    postgres_server: PostgresServer, postgres_url: str, pooled: Callable[[str], str]
) -> None:
    """The pool itself goes on taking connections."""
    engine = PostgresEngine(pooled(postgres_url), ClockOffset())

    async def all_ask() -> list[object]:
        asks = (ask(engine, lambda tx: tx.one(COUNT, {"key": "nothing"})) for ask in ASKS.values())
        return await asyncio.gather(*asks, return_exceptions=True)

    assert await all_ask() == [(0,)] * len(ASKS)
    with all_stopped(postgres_server):
        async with asyncio.timeout(60 * SILENCE):
            failures = await all_ask()
    assert [type(failure) for failure in failures] == [Unavailable] * len(ASKS)
    assert await all_ask() == [(0,)] * len(ASKS)
    await engine.close()


async def test_closing_waits_for_no_server_that_hangs(
    postgres_server: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_FOR_READS", Patience(60, 60))
    monkeypatch.setattr(postgres_lanes, "CLOSING_SECONDS", SILENCE)
    engine = PostgresEngine(postgres_url, ClockOffset())
    asks = [ASKS[name] for name in ("a write", "a heartbeat", "a long read")]  # each has a connection
    for ask in asks:
        await ask(engine, lambda tx: tx.now_us)
    with all_stopped(postgres_server):
        asking = [asyncio.ensure_future(ask(engine, lambda tx: tx.now_us)) for ask in asks]
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await engine.close()
        ends = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(end) for end in ends] == [Unavailable] * len(asks)


def test_an_answer_that_came_while_this_process_was_stopped_is_taken(postgres_url: str) -> None:
    """On the loop of servers and workers, whose timers go first."""

    async def stopped_itself() -> None:
        engine = PostgresEngine(postgres_url, ClockOffset())
        tries = []

        def ask(tx: Tx) -> object:
            tries.append(1)
            return tx.one("SELECT 'x' FROM pg_sleep(0.1)", {})

        await engine.read(lambda tx: tx.now_us, small=True)
        answer = asyncio.ensure_future(engine.read(ask, small=True))
        await asyncio.sleep(0.02)
        time.sleep(2 * SILENCE)  # noqa: ASYNC251 - nothing of this process goes on
        assert await answer == ("x",)
        assert len(tries) == 1
        await engine.close()

    uvloop.run(stopped_itself())


async def test_who_waits_for_long_is_not_given_up_while_the_server_speaks(engine: PostgresEngine) -> None:
    """Of rows that come one by one."""

    def slow(tx: Tx) -> int:
        slowly = "SELECT n, repeat('x', 10000), pg_sleep(0.1) FROM generate_series(1, 10) n"
        return len(tx.all(slowly, {}))

    assert await engine.read(slow) == 10
    assert await engine.read(slow, small=True) == 10
