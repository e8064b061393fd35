"""Postgres: one short READ COMMITTED transaction per write, on connections that are kept.

Statements whose result nobody asks for travel with the next one that is asked, or with the commit: most
writes are two round trips. Reads, and statements that stand for themselves, begin no transaction. What is
asked of Postgres itself is prepared; behind a pooler, which hands out another session for each transaction,
nothing is, and no session state is kept. A few connections are reserved for heartbeats and outcomes: load
from outside must not cost a worker its lease, nor must a server that says nothing any more.

Writes and small reads run on the event loop, see `postgres_lanes`; reads that may be long have threads.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import psycopg

from ao.domain.errors import Unavailable
from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.engine import ClockOffset, Tx
from ao.store.sql.postgres_alone import AloneTx
from ao.store.sql.postgres_lanes import Carrier, LoopLane, ThreadLane
from ao.store.sql.postgres_session import Patience
from ao.store.sql.postgres_tx import PostgresTx

T = TypeVar("T")
_Execute = Callable[[Carrier, Callable[[Tx], T]], T]

_WRITERS = 8
_URGENT_WRITERS = 5
_READERS = 5
_FOR_WRITES, _FOR_URGENT, _FOR_READS = Patience(10, 12), Patience(5, 6), Patience(60, 65)
"""A heartbeat that is not answered is sent again, on another connection, before the lease ends."""
_TRIES = 5
_BACKOFF_SECONDS = 0.02


class PostgresEngine:
    """Implements `Engine` for any number of processes on one database."""

    in_order = False

    def __init__(self, url: str, offset: ClockOffset) -> None:
        self._dialect = PostgresDialect()
        self._offset = offset
        self._writes = LoopLane(url, "writer", _WRITERS, _FOR_WRITES)
        self._urgent = LoopLane(url, "urgent", _URGENT_WRITERS, _FOR_URGENT)
        self._reads = ThreadLane(url, "reader", _READERS, _FOR_READS)
        self._closing = False

    @property
    def dialect(self) -> PostgresDialect:
        return self._dialect

    async def write(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        return await self._on(self._urgent if urgent else self._writes, self._write, fn)

    async def each(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        return await self._on(self._urgent if urgent else self._writes, self._each, fn)

    async def read(self, fn: Callable[[Tx], T], *, small: bool = False, urgent: bool = False) -> T:
        if small or urgent:
            return await self._on(self._urgent if urgent else self._writes, self._small_read, fn)
        return await self._on(self._reads, self._each, fn)

    async def close(self) -> None:
        if not self._closing:
            self._closing = True
            await asyncio.gather(*(lane.close() for lane in (self._writes, self._urgent, self._reads)))

    async def _on(self, lane: LoopLane | ThreadLane, execute: _Execute[T], fn: Callable[[Tx], T]) -> T:
        if self._closing:
            raise Unavailable("The store is closing.")
        return await lane.run(lambda carrier: self._with_retries(carrier, execute, fn))

    # --- where the lane carries it out -------------------------------------------------------------

    def _with_retries(self, carrier: Carrier, execute: _Execute[T], fn: Callable[[Tx], T]) -> T:
        """Try again what surely did not happen: rolled back by the server, or its connection was lost."""
        for attempt in range(1, _TRIES + 1):
            try:
                return execute(carrier, fn)
            except (psycopg.Error, UnicodeEncodeError) as error:
                failure = self._dialect.error(error)
                if attempt == _TRIES or self._closing or not self._dialect.is_transient(error):
                    raise failure from error
            carrier.sleep(_BACKOFF_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    def _write(self, carrier: Carrier, fn: Callable[[Tx], T]) -> T:
        return PostgresTx(carrier.session(), carrier.wait, self._dialect, self._offset).write(fn)

    def _each(self, carrier: Carrier, fn: Callable[[Tx], T]) -> T:
        session = carrier.session()
        return fn(AloneTx(session, carrier.wait, self._dialect, self._offset, session.local))

    def _small_read(self, carrier: Carrier, fn: Callable[[Tx], T]) -> T:
        """It takes no lock and no time that would have to be limited."""
        return fn(AloneTx(carrier.session(), carrier.wait, self._dialect, self._offset))
