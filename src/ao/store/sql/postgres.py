"""Postgres: one short READ COMMITTED transaction per write, psycopg 3 in threads.

Statements whose result nobody asks for travel with the next one that is asked, or with the commit: most
writes are two round trips. Reads, and statements that stand for themselves, begin no transaction. What is
asked of Postgres itself is prepared; behind a pooler, which hands out another session for each transaction,
nothing is, and no session state is kept. A few connections are reserved for heartbeats and outcomes: load
from outside must not cost a worker its lease.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8Dumper

from ao.domain.errors import AoError, Unavailable
from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.engine import ClockOffset, Params, Row, Tx
from ao.store.sql.postgres_alone import AloneTx

T = TypeVar("T")
Connection = psycopg.Connection[Row]

_WRITERS = 8
_URGENT_WRITERS = 5
_READERS = 5
_TRIES = 5
_BACKOFF_SECONDS = 0.02
_PREPARE_AFTER = 2
_PREPARED = 400
"""Statements of AO that a connection keeps; there are fewer."""

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
    connection = psycopg.connect(
        make_conninfo(url, **patience),
        autocommit=True,  # BEGIN and COMMIT are ours, with what belongs to them in the same round trip
        prepare_threshold=None,
        application_name="ao",
    )
    connection.adapters.register_dumper(int, Int8Dumper)  # one type, so that a statement is prepared once
    return connection


def is_pooled(connection: Connection) -> bool:
    """Whether a pool such as PgBouncer is between: it makes up the process id that it greets with."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row is not None and row[0] != connection.info.backend_pid


def connect_for_long(url: str) -> Connection:
    """A connection that is kept. It prepares statements and has its settings, if its session is its own."""
    connection = connect(url)
    try:
        if not is_pooled(connection):
            connection.execute(PostgresDialect.SESSION)
            connection.prepare_threshold = _PREPARE_AFTER
            connection.prepared_max = _PREPARED
    except BaseException:
        connection.close()
        raise
    return connection


class PostgresTx:
    """Implements `Tx` on one connection."""

    __slots__ = ("_connection", "_cursor", "_dialect", "_later", "_now_us", "_offset")

    def __init__(self, connection: Connection, dialect: PostgresDialect, offset: ClockOffset) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._dialect = dialect
        self._offset = offset
        self._later: list[tuple[str, Params | Sequence[Params]]] = []
        self._now_us: int | None = None

    def begin(self) -> None:
        own_session = self._connection.prepare_threshold is not None
        self._later.append((self._dialect.BEGIN, {}))
        if not own_session:
            self._later.append((self._dialect.LOCAL, {}))

    def commit(self) -> None:
        """Whether it happened is unknown when the connection breaks."""
        self._later.append(("COMMIT", {}))
        self._send()

    def settle(self) -> None:
        """The commit is not the first that is tried on a connection that may have been cut long ago."""
        if self._now_us is None:
            self._send()

    @property
    def now_us(self) -> int:
        if self._now_us is None:
            self._send()
        assert self._now_us is not None
        return self._now_us

    def run(self, sql: str, params: Params) -> None:
        bound = self._bound(sql, params)  # may send what waits
        self._later.append((self._dialect.sql[sql], bound))

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        if rows:
            self._later.append((self._dialect.sql[sql], list(rows)))

    def count(self, sql: str, params: Params) -> int:
        return self._ask(sql, params).rowcount

    def one(self, sql: str, params: Params) -> Row | None:
        return self._ask(sql, params).fetchone()

    def all(self, sql: str, params: Params) -> Sequence[Row]:
        return self._ask(sql, params).fetchall()

    def _bound(self, sql: str, params: Params) -> Params:
        return {**params, "now": self.now_us} if ":now" in sql else dict(params)

    def _ask(self, sql: str, params: Params) -> psycopg.Cursor[Row]:
        bound = self._bound(sql, params)
        if self._later:
            self._send((self._dialect.sql[sql], bound))
            return self._cursor
        return self._cursor.execute(self._dialect.sql[sql], bound)

    def _send(self, asked: tuple[str, Params] | None = None) -> None:
        """All that waits to be sent, the clock if it is not known yet, and what is asked, in one round trip."""
        later, self._later = self._later, []
        clock = None
        with self._connection.pipeline():
            for sql, params in later:
                cursor = self._connection.cursor()
                if isinstance(params, dict):
                    cursor.execute(sql, params)
                else:
                    cursor.executemany(sql, params)
            if self._now_us is None:
                clock = self._connection.execute(self._dialect.NOW)
            if asked is not None:
                self._cursor.execute(*asked)
        if clock is not None:
            row = clock.fetchone()
            assert row is not None
            self._now_us = int(row[0]) + self._offset.us


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
            connection = self._local.connection = connect_for_long(self._url)
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

    async def each(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        return await self._on(self._urgent if urgent else self._writes, self._each, fn)

    async def read(self, fn: Callable[[Tx], T], *, small: bool = False, urgent: bool = False) -> T:
        return await self._on(self._urgent if urgent else self._reads, self._read, fn)

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
            tx.settle()
        except BaseException:
            _roll_back(connection)
            raise
        try:
            tx.commit()
        except psycopg.Error as error:
            if connection.closed:
                raise _unknown() from error
            _roll_back(connection)
            raise
        return result

    def _each(self, connection: Connection, fn: Callable[[Tx], T]) -> T:
        """Behind a pooler the settings need a transaction."""
        own_session = connection.prepare_threshold is not None
        return self._read(connection, fn) if own_session else self._write(connection, fn)

    def _read(self, connection: Connection, fn: Callable[[Tx], T]) -> T:
        return fn(AloneTx(connection, self._dialect, self._offset))


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
