"""Postgres: one short READ COMMITTED transaction per write, psycopg 3 in threads.

Nothing is prepared and no session state is kept, so that PgBouncer in transaction mode works. A few
connections are reserved for heartbeats and outcomes: load from outside must not cost a worker its lease.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ao.domain.errors import AoError, Unavailable
from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.engine import ClockOffset, Params, Row, Tx

T = TypeVar("T")
Connection = psycopg.Connection[Row]

_WRITERS = 8
_URGENT_WRITERS = 5
_READERS = 5
_TRIES = 5
_BACKOFF_SECONDS = 0.02

_PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 6_000,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
"""Seconds, and milliseconds that sent data may wait for its acknowledgement. A server that is cut off says
nothing, and the kernel's own times would keep a worker out for a quarter of an hour. The URL may say others."""


def connect(url: str) -> Connection:
    patience = {name: value for name, value in _PATIENCE.items() if name not in conninfo_to_dict(url)}
    return psycopg.connect(
        make_conninfo(url, **patience),
        autocommit=True,  # BEGIN and COMMIT are ours, with what belongs to them in the same round trip
        prepare_threshold=None,
        application_name="ao",
    )


class PostgresTx:
    """Implements `Tx` on one connection."""

    __slots__ = ("_cursor", "_dialect", "_now_us", "_offset")

    def __init__(self, connection: Connection, dialect: PostgresDialect, offset: ClockOffset) -> None:
        self._cursor = connection.cursor()
        self._dialect = dialect
        self._offset = offset
        self._now_us: int | None = None

    def begin(self) -> None:
        self._now_us = self._clock(self._dialect.BEGIN)

    @property
    def now_us(self) -> int:
        if self._now_us is None:
            self._now_us = self._clock(self._dialect.NOW)
        return self._now_us

    def _clock(self, statements: str) -> int:
        """The answer of the last of `statements`, which go to the server together."""
        cursor = self._cursor.execute(statements)
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        assert row is not None
        return int(row[0]) + self._offset.us

    def run(self, sql: str, params: Params) -> int:
        return self._execute(sql, params).rowcount

    def many(self, sql: str, rows: Sequence[Params]) -> int:
        if rows:
            self._cursor.executemany(self._dialect.sql[sql], rows)
        return self._cursor.rowcount if rows else 0

    def one(self, sql: str, params: Params) -> Row | None:
        return self._execute(sql, params).fetchone()

    def all(self, sql: str, params: Params) -> Sequence[Row]:
        return self._execute(sql, params).fetchall()

    def _execute(self, sql: str, params: Params) -> psycopg.Cursor[Row]:
        if ":now" in sql:
            params["now"] = self.now_us
        return self._cursor.execute(self._dialect.sql[sql], params)


class _Lane:
    """Threads with a connection each; a broken connection is replaced at its next use."""

    def __init__(self, url: str, name: str, size: int) -> None:
        self._url = url
        self._local = threading.local()
        self._open: set[Connection] = set()
        self.threads = ThreadPoolExecutor(size, f"ao-store-{name}")

    def connection(self) -> Connection:
        """This thread's connection."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            if connection is not None:
                self._open.discard(connection)
            connection = self._local.connection = connect(self._url)
            self._open.add(connection)
        return connection

    def close(self) -> None:
        self.threads.shutdown()
        for connection in self._open:
            connection.close()


class PostgresEngine:
    """Implements `Engine` for any number of processes on one database."""

    def __init__(self, url: str, offset: ClockOffset) -> None:
        self._dialect = PostgresDialect()
        self._offset = offset
        self._writes = _Lane(url, "writer", _WRITERS)
        self._urgent = _Lane(url, "urgent", _URGENT_WRITERS)
        self._reads = _Lane(url, "reader", _READERS)
        self._closing = False

    @property
    def dialect(self) -> PostgresDialect:
        return self._dialect

    async def write(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        return await self._on(self._urgent if urgent else self._writes, self._write, fn)

    async def read(self, fn: Callable[[Tx], T], *, small: bool = False) -> T:
        return await self._on(self._reads, self._read, fn)

    async def _on(
        self, lane: _Lane, execute: Callable[[Connection, Callable[[Tx], T]], T], fn: Callable[[Tx], T]
    ) -> T:
        if self._closing:
            raise Unavailable("The store is closing.")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(lane.threads, self._with_retries, lane, execute, fn)

    async def close(self) -> None:
        if not self._closing:
            self._closing = True
            for lane in (self._writes, self._urgent, self._reads):
                await asyncio.to_thread(lane.close)

    # --- in a lane's thread ------------------------------------------------------------------------

    def _with_retries(
        self, lane: _Lane, execute: Callable[[Connection, Callable[[Tx], T]], T], fn: Callable[[Tx], T]
    ) -> T:
        """Try again what surely did not happen: rolled back by the server, or its connection was lost."""
        for attempt in range(1, _TRIES + 1):
            try:
                return execute(lane.connection(), fn)
            except (psycopg.Error, UnicodeEncodeError) as error:
                failure = self._dialect.error(error)
                if attempt == _TRIES or not self._dialect.is_transient(error):
                    raise failure from error
            time.sleep(_BACKOFF_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    def _write(self, connection: Connection, fn: Callable[[Tx], T]) -> T:
        tx = PostgresTx(connection, self._dialect, self._offset)
        try:
            tx.begin()
            result = fn(tx)
        except BaseException:
            _roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            if connection.closed:
                raise _unknown() from error
            raise
        return result

    def _read(self, connection: Connection, fn: Callable[[Tx], T]) -> T:
        return fn(PostgresTx(connection, self._dialect, self._offset))


def _roll_back(connection: Connection) -> None:
    """Leave the connection clean, or closed."""
    try:
        if not connection.closed:
            connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


def _unknown() -> AoError:
    return Unavailable(
        "The connection to Postgres was lost during a commit; whether the write happened is unknown.",
        hint="Read it again before repeating it.",
        details={"outcome": "unknown"},
    )
