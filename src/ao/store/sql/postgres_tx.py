"""Writes and reads on one Postgres session, in as few round trips as the questions in them allow."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg
from psycopg.pq.abc import PGresult

from ao.domain.errors import AoError, Unavailable
from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.engine import ClockOffset, Params, Row, Tx
from ao.store.sql.postgres_session import Call, Session, Wait

T = TypeVar("T")


class PostgresTx:
    """Implements `Tx`. What nobody asks the result of waits for the next question, or for the commit."""

    __slots__ = ("_dialect", "_later", "_now_us", "_offset", "_session", "_wait")

    def __init__(self, session: Session, wait: Wait, dialect: PostgresDialect, offset: ClockOffset) -> None:
        self._session = session
        self._wait = wait
        self._dialect = dialect
        self._offset = offset
        self._later: list[Call] = []
        self._now_us: int | None = None

    def write(self, fn: Callable[[Tx], T]) -> T:
        try:
            self._begin()
            result = fn(self)
            # The commit is not the first that is tried on a connection that may have been cut long ago.
            if self._now_us is None:
                self._send()
        except Exception:
            self._roll_back()
            raise
        except BaseException:
            self._session.close()
            raise
        try:
            self._run("COMMIT")
            self._send()
        except Exception as error:
            if self._session.broken:
                raise _unknown() from error
            self._roll_back()
            raise
        return result

    def _begin(self) -> None:
        self._run(self._dialect.BEGIN)
        if self._session.local:
            self._run(self._session.local)

    def _run(self, sql: str) -> None:
        self._later.append((self._dialect.sql[sql], {}))

    def _roll_back(self) -> None:
        """Leave the session clean, or closed."""
        try:
            if not self._session.broken:
                self._session.exchange([(self._dialect.sql["ROLLBACK"], {})], self._wait)
        except psycopg.Error:
            self._session.close()

    @property
    def now_us(self) -> int:
        if self._now_us is None:
            self._send()
        assert self._now_us is not None
        return self._now_us

    def run(self, sql: str, params: Params) -> None:
        call = self._call(sql, params)  # may send what waits
        self._later.append(call)

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        if rows:
            self._later.append((self._dialect.sql[sql], list(rows)))

    def count(self, sql: str, params: Params) -> int:
        return self._ask(sql, params).command_tuples or 0

    def one(self, sql: str, params: Params) -> Row | None:
        return self._session.row(self._ask(sql, params))

    def all(self, sql: str, params: Params) -> Sequence[Row]:
        return self._session.rows(self._ask(sql, params))

    def _call(self, sql: str, params: Params) -> Call:
        statement = self._dialect.sql[sql]
        return statement, {**params, "now": self.now_us} if statement.asks_now else dict(params)

    def _ask(self, sql: str, params: Params) -> PGresult:
        call = self._call(sql, params)
        if not self._later:
            return self._session.exchange([call], self._wait)[-1]
        return self._send(call)

    def _send(self, asked: Call | None = None) -> PGresult:
        """All that waits to be sent, the clock if it is not known yet, and what is asked, in one round trip;
        returns the last answer."""
        calls, self._later = self._later, []
        asks_clock = self._now_us is None
        if asks_clock:
            calls.append((self._dialect.sql[self._dialect.NOW], {}))
        if asked is not None:
            calls.append(asked)
        answers = self._session.exchange(calls, self._wait)
        if asks_clock:
            self._now_us = self._session.number(answers[-1 if asked is None else -2]) + self._offset.us
        return answers[-1]


def _unknown() -> AoError:
    return Unavailable(
        "The connection to Postgres was lost during a commit; whether the write happened is unknown.",
        hint="Read it again before repeating it.",
        details={"outcome": "unknown"},
    )
