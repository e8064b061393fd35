"""SQLite's one writer: batches on the event loop's thread, and what takes time in a thread of its own."""

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from ao.domain.errors import AoError
from ao.logs import get_logger
from ao.store.sql.dialect import SqliteDialect
from ao.store.sql.engine import ClockOffset, Tx
from ao.store.sql.sqlite_connection import BUSY_SECONDS, LOG_BYTES, SqliteTx

log = get_logger(__name__)

_BATCH = 256
"""Writes in one commit; bounds how long the first of them waits for the last."""
_BATCH_SECONDS = 0.01
"""After so long a batch is committed with what it has: the event loop has other things to do."""
_SMALL_BATCH = 8
"""Larger ones are committed in the thread: many wait anyhow, and the event loop has other things to do."""
_QUICK_SECONDS = 0.001
"""When commits on the loop's thread take longer as a rule, those that follow are sent to the writer's: first so
many, then twice as many, up to the last; then one shows again whether the disk is quick now."""
_RULE = 16
"""A rule is made of about so many commits: one that is slow among many changes little, a stall does."""
_SENT_AWAY, _MOST_SENT_AWAY = 64, 4096
_CHECKPOINT_CHANGES = 1200
"""After so many changed rows what is in the log is copied into the database: of runs they take about 16 MiB."""


class Write(NamedTuple):
    fn: Callable[[Tx], Any]
    future: asyncio.Future[Any]


class _Done(NamedTuple):
    future: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class SqliteWriter:
    """Takes what is waiting, runs it in one transaction with a savepoint for each write, commits once, and
    then answers everybody; what comes meanwhile is the next batch."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, dialect: SqliteDialect, offset: ClockOffset
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._offset = offset
        self._tx = SqliteTx(connection, dialect)
        self._waiting: deque[Write] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        """While a batch is being written."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._left_to_thread = 0
        """So many commits more."""
        self._sent_away = _SENT_AWAY
        self._usual_seconds: float | None = None
        """Of commits on the loop's thread; None before the first since others were sent away."""
        self._log = f"{path}-wal"
        self._copied = 0
        """The count of changes at the last checkpoint."""
        self._copy_failed = False
        self._jobs: SimpleQueue[Callable[[], Callable[[], None]] | None] = SimpleQueue()
        """Each gives what is to be called on the loop after it."""
        self._thread = threading.Thread(target=self._serve, name="ao-store-writer", daemon=True)
        self._thread.start()
        self._wait_for_locks(seconds=0)

    def put(self, write: Write) -> None:
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
                self._jobs.put(lambda: self._then_deliver(self._with_patience(batch)))
                return
            self._deliver(self._roll_back(batch, error))
        except sqlite3.Error as error:
            self._deliver(self._roll_back(batch, error))
        else:
            self._go_on(batch)

    def _go_on(self, batch: list[Write]) -> None:
        until = time.perf_counter() + _BATCH_SECONDS
        try:
            done, rest = self._run_all(batch, until, at_least=1)
        except sqlite3.Error as error:
            self._deliver(self._roll_back(batch, error))
            return
        self._waiting.extendleft(reversed(rest))
        if self._connection.in_transaction:
            assert self._loop is not None
            self._loop.call_soon(self._commit_with_late, done, until)
        else:
            self._deliver(done)

    def _commit_with_late(self, done: list[_Done], until: float) -> None:
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
        if self._left_to_thread or len(done) > _SMALL_BATCH:
            self._left_to_thread = max(0, self._left_to_thread - 1)
            self._jobs.put(lambda: self._then_deliver(self._commit(done)))
        else:
            self._deliver(self._commit_here(done))

    def _commit_here(self, done: list[_Done]) -> list[_Done]:
        """On the loop's thread, while the disk is quick."""
        began = time.perf_counter()
        done = self._commit(done)
        took, usual = time.perf_counter() - began, self._usual_seconds
        usual = took if usual is None else usual + (took - usual) / _RULE
        if usual > _QUICK_SECONDS:
            self._left_to_thread, self._usual_seconds = self._sent_away, None
            self._sent_away = min(2 * self._sent_away, _MOST_SENT_AWAY)
        else:
            self._usual_seconds, self._sent_away = usual, _SENT_AWAY
        return done

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
        assert self._loop is not None
        if self._waiting:
            # After those who have just been answered: what they write next belongs to this batch.
            self._loop.call_soon(self._begin)
        else:
            self._loop = None
            self._idle.set()

    def _is_long(self) -> bool:
        """Whether there is enough in the log to copy it."""
        changes = self._connection.total_changes - self._copied
        if changes == 0:
            return False
        if changes >= _CHECKPOINT_CHANGES:
            return True
        try:
            return os.stat(self._log).st_size > LOG_BYTES
        except OSError:
            return False  # it is made by the first write

    # In the thread

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            then = job()
            assert self._loop is not None
            if not self._loop.is_closed():  # whoever waited there is gone with it
                self._loop.call_soon_threadsafe(then)

    def _then_deliver(self, done: list[_Done]) -> Callable[[], None]:
        return lambda: self._deliver(done)

    def _with_patience(self, batch: list[Write]) -> list[_Done]:
        try:
            self._wait_for_locks(BUSY_SECONDS)
            self._connection.execute(self._dialect.BEGIN)
            done, _ = self._run_all(batch, float("inf"))
        except sqlite3.Error as error:
            return self._roll_back(batch, error)
        finally:
            self._wait_for_locks(seconds=0)
        return self._commit(done) if self._connection.in_transaction else done

    def _copy(self) -> Callable[[], None]:
        """A checkpoint: what readers still need stays in the log until the next one."""
        self._copied = self._connection.total_changes
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._copy_failed = False
        except sqlite3.Error as error:
            if not self._copy_failed:
                log.warning("the log is not copied into the database, and grows", error=str(error))
            self._copy_failed = True
        return self._next

    # In both

    def _wait_for_locks(self, seconds: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def _run_all(
        self, batch: list[Write], until: float, *, at_least: int = 0
    ) -> tuple[list[_Done], list[Write]]:
        """What was run in the time, and what was not. Raises when SQLite has rolled everything back."""
        done: list[_Done] = []
        alone = len(batch) == at_least == 1
        for number, write in enumerate(batch):
            if number >= at_least and time.perf_counter() > until:
                return done, batch[number:]
            done.append(self._run(write, alone=alone))
        return done, []

    def _run(self, write: Write, *, alone: bool) -> _Done:
        """One write in its savepoint, which the first of a transaction needs not while it is alone. Raises when
        SQLite has rolled the whole transaction back."""
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

    def _commit(self, done: list[_Done]) -> list[_Done]:
        """What it returns is durable, or did not happen."""
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            return self._roll_back(done, error)
        return done

    def _roll_back(self, batch: Sequence[Write | _Done], error: sqlite3.Error) -> list[_Done]:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                log.exception("a transaction of SQLite cannot be rolled back")
        failure = self._failure(error)
        return [_Done(each.future, None, failure) for each in batch]

    def _failure(self, error: Exception) -> Exception:
        """What the caller gets: AO's errors as they are, the database's in AO's words."""
        if isinstance(error, AoError):
            return error
        if isinstance(error, sqlite3.Error | UnicodeEncodeError):
            failure: Exception = self._dialect.error(error)
        elif isinstance(error, StopIteration):  # which no future takes
            failure = RuntimeError("a write raised StopIteration")
        else:
            return error
        failure.__cause__ = error
        return failure
