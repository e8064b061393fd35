"""SQLite: writes that are waiting share one transaction and one commit; small reads cost no thread.

Statements run on the thread of the event loop: handed to another one they would take Python's lock back
and forth, which costs several times what they cost. So do commits (WAL, `synchronous=FULL`: the log is on the
disk) while the disk is quick. What takes time by nature does not run there: commits on other disks,
checkpoints, waiting for somebody else's lock, long reads.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ao.domain.errors import Unavailable
from ao.store.sql.dialect import SqliteDialect
from ao.store.sql.engine import ClockOffset, Tx
from ao.store.sql.sqlite_connection import SqliteTx, connect
from ao.store.sql.sqlite_writer import SqliteWriter, Write

T = TypeVar("T")

_READERS = 3


class SqliteEngine:
    """Implements `Engine` for one event loop. The directory of `path` belongs to one process (`HomeInUse`
    guards it)."""

    in_order = True

    def __init__(self, path: Path, connection: sqlite3.Connection, offset: ClockOffset) -> None:
        self._path = path
        self._dialect = SqliteDialect(path)
        self._offset = offset
        self._connection = connection
        self._writer = SqliteWriter(path, connection, self._dialect, offset)
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
        self._writer.put(Write(fn, future))
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
