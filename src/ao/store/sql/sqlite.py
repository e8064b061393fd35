"""SQLite: writes that are waiting share one transaction and one commit; small reads cost no thread.

Statements run on the thread of the event loop: handed to another one they would take Python's lock back
and forth, which costs several times what they cost. So do commits (WAL, `synchronous=FULL`: the log is on the
disk) while the disk is quick. What takes time by nature does not run there: commits on other disks,
checkpoints, waiting for somebody else's lock, long reads.
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from ao.domain.errors import AoError, Unavailable
from ao.logs import get_logger
from ao.store.sql.dialect import SqliteDialect
from ao.store.sql.engine import ClockOffset, Params, Row, Tx

log = get_logger(__name__)

T = TypeVar("T")

_BATCH = 256
"""Writes in one commit; bounds how long the first of them waits for the last."""
_BATCH_SECONDS = 0.01
"""After so long a batch is committed with what it has: the event loop has other things to do."""
_READERS = 3
_BUSY_SECONDS = 10.0
_QUICK_SECONDS = 0.0005
"""A commit that takes longer on the loop's thread sends those after it to the writer's."""
_HANDED_OVER = 64
"""So many; then one shows whether the disk is quick now."""
_CHECKPOINT_CHANGES = 1200
"""After so many changed rows what is in the log is copied into the database: of runs they take about 16 MiB."""
_LOG_BYTES = 32 << 20
"""So long the log may be, whatever the rows are like."""


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

    def run(self, sql: str, params: Params) -> None:
        params["now"] = self.now_us
        self._cursor.execute(self._sql[sql], params)

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        self._cursor.executemany(self._sql[sql], rows)

    def count(self, sql: str, params: Params) -> int:
        params["now"] = self.now_us
        return self._cursor.execute(self._sql[sql], params).rowcount

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
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute("PRAGMA cache_size = -32768")
    if read_only:
        connection.execute("PRAGMA query_only = ON")


class SqliteEngine:
    """Implements `Engine` for one event loop. The directory of `path` belongs to one process (`HomeInUse`
    guards it)."""

    in_order = True

    def __init__(self, path: Path, connection: sqlite3.Connection, offset: ClockOffset) -> None:
        self._path = path
        self._dialect = SqliteDialect(path)
        self._offset = offset
        self._connection = connection
        self._writer = _Writer(path, connection, self._dialect, offset)
        self._closing = False
        self._local = threading.local()
        self._read_connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(_READERS, "ao-store-reader")

    @property
    def dialect(self) -> SqliteDialect:
        return self._dialect

    async def write(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        if self._closing:
            raise Unavailable("The store is closing.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.put(_Write(fn, future))
        return await future

    async def each(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        return await self.write(fn, urgent=urgent)

    async def read(self, fn: Callable[[Tx], T], *, small: bool = False, urgent: bool = False) -> T:
        if self._closing:
            raise Unavailable("The store is closing.")
        if small:
            return self._read(fn)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, fn)

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        await self._writer.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        for connection in self._read_connections:
            connection.close()
        self._connection.close()

    def _read(self, fn: Callable[[Tx], T]) -> T:
        try:
            tx = self._reader()
            tx.now_us = self._dialect.now_us() + self._offset.us
            return fn(tx)
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._dialect.error(error) from error

    def _reader(self) -> SqliteTx:
        """This thread's."""
        tx: SqliteTx | None = getattr(self._local, "tx", None)
        if tx is None:
            connection = connect(self._path, read_only=True)
            self._read_connections.append(connection)
            tx = self._local.tx = SqliteTx(connection, self._dialect)
        return tx


class _Writer:
    """Takes what is waiting, runs it in one transaction with a savepoint for each write, commits once, and
    then answers everybody; what comes meanwhile is the next batch."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, dialect: SqliteDialect, offset: ClockOffset
    ) -> None:
        self._log = f"{path}-wal"
        self._copied = 0
        """The count of changes at the last checkpoint."""
        self._grows = False
        """The last checkpoint failed."""
        self._handed_over = 0
        """So many commits more take the writer's thread."""
        self._connection = connection
        self._dialect = dialect
        self._offset = offset
        self._tx = SqliteTx(connection, dialect)
        self._waiting: deque[_Write] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        """While a batch is being written."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._jobs: SimpleQueue[Callable[[], list[_Done] | None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="ao-store-writer", daemon=True)
        self._thread.start()
        self._wait_for_locks(seconds=0)

    def put(self, write: _Write) -> None:
        self._waiting.append(write)
        if self._loop is None:
            self._idle.clear()
            self._loop = write.future.get_loop()
            self._loop.call_soon(self._begin)

    async def close(self) -> None:
        """Finish what was accepted."""
        await self._idle.wait()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    # On the loop

    def _begin(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        try:
            self._connection.execute(self._dialect.BEGIN)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_BUSY":
                # Somebody else has the lock: a backup, a shell.
                self._jobs.put(lambda: self._with_patience(batch))
                return
            self._deliver(self._roll_back(batch, error))
        except sqlite3.Error as error:
            self._deliver(self._roll_back(batch, error))
        else:
            self._go_on(batch)

    def _go_on(self, batch: list[_Write]) -> None:
        until = time.perf_counter() + _BATCH_SECONDS
        try:
            done, rest = self._run_all(batch, until, alone=len(batch) == 1)
        except sqlite3.Error as error:
            self._deliver(self._roll_back(batch, error))
            return
        self._waiting.extendleft(reversed(rest))
        if self._connection.in_transaction:
            assert self._loop is not None
            self._loop.call_soon(self._end, done, until)
        else:
            self._deliver(done)

    def _end(self, done: list[_Done], until: float) -> None:
        """Commit, with what was asked for meanwhile by those who were told of these writes when they were
        asked for: a new run and its claim are one commit."""
        batch = [self._waiting.popleft() for _ in range(min(_BATCH - len(done), len(self._waiting)))]
        try:
            more, rest = self._run_all(batch, until)
        except sqlite3.Error as error:
            self._deliver(self._roll_back([*done, *batch], error))
            return
        self._waiting.extendleft(reversed(rest))
        done += more
        if self._handed_over:
            self._handed_over -= 1
            self._jobs.put(lambda: self._commit(done))
            return
        began = time.perf_counter()
        done = self._commit(done)
        if time.perf_counter() - began > _QUICK_SECONDS:
            self._handed_over = _HANDED_OVER
        self._deliver(done)

    def _deliver(self, done: list[_Done]) -> None:
        """Answer; and have the log copied when it is time, before anything else is written."""
        for future, result, error in done:
            if future.done():  # the caller was cancelled; the write stands
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        if self._is_long():
            self._jobs.put(self._copy)
        else:
            self._next()

    def _next(self) -> None:
        if self._waiting:
            assert self._loop is not None
            # After those who have just been answered: what they write next belongs to this batch.
            self._loop.call_soon(self._begin)
        else:
            self._loop = None
            self._idle.set()

    def _is_long(self) -> bool:
        """Whether there is enough in the log to copy it."""
        changes = self._connection.total_changes - self._copied
        if changes >= _CHECKPOINT_CHANGES or not changes:
            return changes > 0
        try:
            return os.stat(self._log).st_size > _LOG_BYTES
        except OSError:
            return False  # it is made by the first write

    # In the thread

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            done = job()
            assert self._loop is not None
            if self._loop.is_closed():
                continue  # whoever waited there is gone with it
            if done is None:
                self._loop.call_soon_threadsafe(self._next)
            else:
                self._loop.call_soon_threadsafe(self._deliver, done)

    def _copy(self) -> None:
        """A checkpoint: what readers still need stays in the log until the next one."""
        self._copied = self._connection.total_changes
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._grows = False
        except sqlite3.Error as error:
            if not self._grows:
                log.warning("the log is not copied into the database, and grows", error=str(error))
            self._grows = True

    def _commit(self, done: list[_Done]) -> list[_Done]:
        """What it returns is durable, or did not happen. On the loop's thread while the disk is quick."""
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            return self._roll_back(done, error)
        return done

    def _with_patience(self, batch: list[_Write]) -> list[_Done]:
        try:
            self._wait_for_locks(_BUSY_SECONDS)
            self._connection.execute(self._dialect.BEGIN)
            done, _ = self._run_all(batch, float("inf"))
        except sqlite3.Error as error:
            return self._roll_back(batch, error)
        finally:
            self._wait_for_locks(seconds=0)
        return self._commit(done) if self._connection.in_transaction else done

    # In both

    def _wait_for_locks(self, seconds: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def _run_all(
        self, batch: list[_Write], until: float, *, alone: bool = False
    ) -> tuple[list[_Done], list[_Write]]:
        """What was run in the time, and what was not. Raises when SQLite has rolled everything back."""
        done: list[_Done] = []
        for number, write in enumerate(batch):
            if time.perf_counter() > until:
                return done, batch[number:]
            done.append(self._run(write, alone=alone))
        return done, []

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

    def _roll_back(self, batch: Sequence[_Write | _Done], error: sqlite3.Error) -> list[_Done]:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        failure = self._failure(error)
        return [_Done(each.future, None, failure) for each in batch]

    def _failure(self, error: Exception) -> Exception:
        """What the caller gets: AO's errors as they are, the database's in AO's words."""
        if isinstance(error, AoError) or not isinstance(error, sqlite3.Error | UnicodeEncodeError):
            return error
        failure = self._dialect.error(error)
        failure.__cause__ = error
        return failure
