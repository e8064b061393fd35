"""Connections to SQLite, as AO's engine uses them."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from ao.store.sql.dialect import SqliteDialect
from ao.store.sql.engine import Params, Row

BUSY_SECONDS = 10.0
LOG_BYTES = 32 << 20
"""Of a log that was longer no more is kept once it begins anew."""


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
        timeout=BUSY_SECONDS,
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
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    connection.execute("PRAGMA cache_size = -32768")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
