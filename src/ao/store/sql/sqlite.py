"""SQLite: one writer thread with micro-batched commits, and a pool of reading connections.

The writer takes everything that is queued, runs it in one transaction with a savepoint for each write,
commits once (WAL, `synchronous=FULL`: the log is on the disk), and then answers everybody.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from ao.domain.errors import AoError, Unavailable
from ao.store.sql.dialect import SqliteDialect
from ao.store.sql.engine import ClockOffset, Params, Row, Tx

T = TypeVar("T")

_BATCH = 256
"""Writes in one commit; bounds how long the first of them waits for the last."""
_READERS = 3
_BUSY_SECONDS = 10.0
_CHECKPOINT_PAGES = 4000
"""Log size at which a commit also copies the log into the database: 16 MiB."""


class _Write(NamedTuple):
    fn: Callable[[Tx], Any]
    future: asyncio.Future[Any]


class _Done(NamedTuple):
    future: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class SqliteTx:
    """Implements `Tx` on one connection."""

    __slots__ = ("_cursor", "_sql", "now_us")

    def __init__(self, connection: sqlite3.Connection, dialect: SqliteDialect) -> None:
        self._cursor = connection.cursor()
        self._sql = dialect.sql
        self.now_us = 0

    def run(self, sql: str, params: Params) -> int:
        params["now"] = self.now_us
        return self._cursor.execute(self._sql[sql], params).rowcount

    def many(self, sql: str, rows: Sequence[Params]) -> int:
        return self._cursor.executemany(self._sql[sql], rows).rowcount

    def one(self, sql: str, params: Params) -> Row | None:
        rows = self.all(sql, params)
        return rows[0] if rows else None

    def all(self, sql: str, params: Params) -> Sequence[Row]:
        params["now"] = self.now_us
        return self._cursor.execute(self._sql[sql], params).fetchall()


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection as the engine uses it; transactions are ours alone to begin."""
    connection = sqlite3.connect(
        path,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
    )
    try:
        _configure(connection, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection, read_only: bool) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute("PRAGMA cache_size = -32768")
    if read_only:
        connection.execute("PRAGMA query_only = ON")


class SqliteEngine:
    """Implements `Engine`. The directory of `path` belongs to one process (`HomeInUse` guards it)."""

    def __init__(self, path: Path, connection: sqlite3.Connection, offset: ClockOffset) -> None:
        self._path = path
        self._dialect = SqliteDialect(path)
        self._offset = offset
        self._connection = connection
        self._tx = SqliteTx(connection, self._dialect)
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._closing = False
        self._writer = threading.Thread(target=self._serve, name="ao-store-writer", daemon=True)
        self._writer.start()
        self._local = threading.local()
        self._read_connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(_READERS, "ao-store-reader", initializer=self._open_reader)

    async def write(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        if self._closing:
            raise Unavailable("The store is closing.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put(_Write(fn, future))
        return await future

    async def read(self, fn: Callable[[Tx], T]) -> T:
        if self._closing:
            raise Unavailable("The store is closing.")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, fn)

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.join()
        self._readers.shutdown()
        for connection in self._read_connections:
            connection.close()
        self._connection.close()

    # --- reading -----------------------------------------------------------------------------------

    def _open_reader(self) -> None:
        connection = connect(self._path, read_only=True)
        self._read_connections.append(connection)
        self._local.tx = SqliteTx(connection, self._dialect)

    def _read(self, fn: Callable[[Tx], T]) -> T:
        tx: SqliteTx = self._local.tx
        tx.now_us = self._dialect.now_us() + self._offset.us
        try:
            return fn(tx)
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._dialect.error(error) from error

    # --- writing -----------------------------------------------------------------------------------

    def _serve(self) -> None:
        open_ = True
        while open_:
            batch: list[_Write] = []
            item = self._queue.get()
            while item is not None:
                batch.append(item)
                if len(batch) == _BATCH:
                    break
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
            open_ = item is not None
            if batch:
                self._deliver(self._commit(batch))

    def _commit(self, batch: list[_Write]) -> list[_Done]:
        """Run a batch as one transaction; what it returns is durable, or did not happen."""
        connection = self._connection
        try:
            connection.execute(self._dialect.BEGIN)
            done = [self._run(write, alone=len(batch) == 1) for write in batch]
            if connection.in_transaction:
                connection.execute("COMMIT")
            return done
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failure = self._failure(error)
            return [_Done(write.future, None, failure) for write in batch]

    def _run(self, write: _Write, *, alone: bool) -> _Done:
        """One write in its savepoint. Raises when SQLite has rolled the whole transaction back."""
        execute = self._connection.execute
        self._tx.now_us = self._dialect.now_us() + self._offset.us
        if not alone:
            execute("SAVEPOINT w")
        try:
            result = write.fn(self._tx)
        except Exception as error:
            if not self._connection.in_transaction and isinstance(error, sqlite3.Error):
                raise
            execute("ROLLBACK" if alone else "ROLLBACK TO w")
            if not alone:
                execute("RELEASE w")
            return _Done(write.future, None, self._failure(error))
        if not alone:
            execute("RELEASE w")
        return _Done(write.future, result, None)

    def _failure(self, error: Exception) -> Exception:
        """What the caller gets: AO's errors as they are, the database's in AO's words."""
        if isinstance(error, AoError) or not isinstance(error, sqlite3.Error | UnicodeEncodeError):
            return error
        failure = self._dialect.error(error)
        failure.__cause__ = error
        return failure

    def _deliver(self, done: list[_Done]) -> None:
        """Answer each event loop once for the whole batch."""
        by_loop: dict[asyncio.AbstractEventLoop, list[_Done]] = {}
        for item in done:
            by_loop.setdefault(item.future.get_loop(), []).append(item)
        for loop, items in by_loop.items():
            if not loop.is_closed():  # whoever waited there is gone with it
                loop.call_soon_threadsafe(_resolve, items)


def _resolve(done: list[_Done]) -> None:
    for future, result, error in done:
        if future.done():  # the caller was cancelled; the write stands
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
