"""Statements on Postgres without a transaction around them: each is one round trip, and its own commit."""

from collections.abc import Sequence

from psycopg.pq.abc import PGresult

from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.engine import ClockOffset, Params, Row
from ao.store.sql.postgres_session import Call, Session, Wait


class AloneTx:
    """Implements `Tx` on one session. `:now` is what `now_us` says, once it was asked; until then each
    statement reads the clock itself, and nobody has to ask for it before. `settings`, if any, are made for
    each: what is sent together is one transaction."""

    __slots__ = ("_dialect", "_now_us", "_offset", "_session", "_settings", "_wait")

    def __init__(
        self, session: Session, wait: Wait, dialect: PostgresDialect, offset: ClockOffset, settings: str = ""
    ) -> None:
        self._session = session
        self._wait = wait
        self._dialect = dialect
        self._offset = offset
        self._settings: list[Call] = [(dialect.sql[settings], {})] if settings else []
        self._now_us: int | None = None

    @property
    def now_us(self) -> int:
        if self._now_us is None:
            answer = self._session.exchange([(self._dialect.sql[self._dialect.NOW], {})], self._wait)[-1]
            self._now_us = self._session.number(answer) + self._offset.us
        return self._now_us

    def run(self, sql: str, params: Params) -> None:
        self._execute(sql, params)

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        if rows:
            self._session.exchange([*self._settings, (self._dialect.sql[sql], rows)], self._wait)

    def count(self, sql: str, params: Params) -> int:
        return self._execute(sql, params).command_tuples or 0

    def one(self, sql: str, params: Params) -> Row | None:
        return self._session.row(self._execute(sql, params))

    def all(self, sql: str, params: Params) -> Sequence[Row]:
        return self._session.rows(self._execute(sql, params))

    def _execute(self, sql: str, params: Params) -> PGresult:
        if self._now_us is None:
            call: Call = self._dialect.alone[sql], {**params, "offset_us": self._offset.us}
        else:
            call = self._dialect.sql[sql], {**params, "now": self._now_us}
        return self._session.exchange([*self._settings, call], self._wait)[-1]
