"""What requests ask of the database, statement by statement."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
import structlog

from ao.store.sql.engine import Engine, Params, Row, Tx

T = TypeVar("T")


class CountingTx:
    """A transaction that remembers its statements."""

    def __init__(self, tx: Tx, statements: list[str]) -> None:
        self._tx = tx
        self._statements = statements

    @property
    def now_us(self) -> int:
        return self._tx.now_us

    def run(self, sql: str, params: Params) -> None:
        self._statements.append(sql)
        self._tx.run(sql, params)

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        self._statements.append(sql)
        self._tx.many(sql, rows)

    def count(self, sql: str, params: Params) -> int:
        self._statements.append(sql)
        return self._tx.count(sql, params)

    def one(self, sql: str, params: Params) -> Row | None:
        self._statements.append(sql)
        return self._tx.one(sql, params)

    def all(self, sql: str, params: Params) -> Sequence[Row]:
        self._statements.append(sql)
        return self._tx.all(sql, params)


def count_statements(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list that every later statement of a request is added to; the server's own loops are not asked."""
    statements: list[str] = []
    for name in ("read", "write"):
        original = getattr(engine, name)

        async def counted(fn: Callable[[Tx], T], *, original: Any = original, **more: Any) -> T:
            is_request = "request_id" in structlog.contextvars.get_contextvars()
            counting = (lambda tx: fn(CountingTx(tx, statements))) if is_request else fn
            result: T = await original(counting, **more)
            return result

        monkeypatch.setattr(engine, name, counted)
    return statements
