"""Statements on Postgres without a transaction around them: each is one round trip, and its own commit."""

from collections.abc import Sequence

import psycopg

from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.engine import ClockOffset, Params, Row


class AloneTx:
    """Implements `Tx` on one connection in autocommit mode. `:now` is what `now_us` says, once it was asked;
    until then each statement reads the clock itself, and nobody has to ask for it before."""

    __slots__ = ("_cursor", "_dialect", "_now_us", "_offset")

    def __init__(
        self, connection: psycopg.Connection[Row], dialect: PostgresDialect, offset: ClockOffset
    ) -> None:
        self._cursor = connection.cursor()
        self._dialect = dialect
        self._offset = offset
        self._now_us: int | None = None

    @property
    def now_us(self) -> int:
        if self._now_us is None:
            row = self._cursor.execute(self._dialect.NOW).fetchone()
            assert row is not None
            self._now_us = int(row[0]) + self._offset.us
        return self._now_us

    def run(self, sql: str, params: Params) -> None:
        self._execute(sql, params)

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        if rows:
            self._cursor.executemany(self._dialect.sql[sql], rows)

    def count(self, sql: str, params: Params) -> int:
        return self._execute(sql, params).rowcount

    def one(self, sql: str, params: Params) -> Row | None:
        return self._execute(sql, params).fetchone()

    def all(self, sql: str, params: Params) -> Sequence[Row]:
        return self._execute(sql, params).fetchall()

    def _execute(self, sql: str, params: Params) -> psycopg.Cursor[Row]:
        if self._now_us is None:
            return self._cursor.execute(self._dialect.alone[sql], {**params, "offset_us": self._offset.us})
        return self._cursor.execute(self._dialect.sql[sql], {**params, "now": self._now_us})
