"""What the stores need of a database: run one synchronous function as one write or one read.

SQL is written once, with `:name` parameters and Postgres lock clauses; `ao.store.sql.dialect` makes it
fit. `:now` is bound to the write's instant by the engine: it is the database's clock. In a read, and in
statements that stand for themselves, it may be the instant of each statement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Row = tuple[Any, ...]
Params = dict[str, Any]


@dataclass(slots=True)
class ClockOffset:
    """Microseconds added to the database's clock. Only tests set it; replicas under test share one."""

    us: int = 0


class Tx(Protocol):
    """The statements of one write or read; use it only inside the function that was given it."""

    @property
    def now_us(self) -> int:
        """The database's clock; constant within one write, and what `:now` is bound to."""
        ...

    def run(self, sql: str, params: Params) -> None:
        """Execute, at the latest before the next statement that answers something: it may travel with that one,
        and what is wrong with it is told there, or at the end of the write."""
        ...

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        """Like `run`, once per row; `:now` is not bound."""
        ...

    def count(self, sql: str, params: Params) -> int:
        """Execute; returns how many rows were changed."""
        ...

    def one(self, sql: str, params: Params) -> Row | None:
        """The first row, or None."""
        ...

    def all(self, sql: str, params: Params) -> Sequence[Row]: ...


class Dialect(Protocol):
    """What is asked of the database itself."""

    @property
    def total_size(self) -> str:
        """Bytes in all, and those of them that are free for what comes."""
        ...

    @property
    def table_sizes(self) -> str:
        """Name, rows and bytes of the large tables, about."""
        ...

    @property
    def abandoned(self) -> str | None:
        """Ends writes of AO that go on for `:seconds` and whose process says nothing, so that what they hold is
        free; None where no process can hold anything."""
        ...


class Engine(Protocol):
    @property
    def dialect(self) -> Dialect: ...

    in_order: bool
    """Writes happen in the order in which they were asked for. Who is told of a write as soon as it was
    asked for, and writes too, finds what it did, and both are durable at once."""

    async def write(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        """Run `fn` as one atomic write; returns its result once that is durable.

        `fn` may run more than once (after a rollback), in another thread, and must not await. It is short:
        other writes wait for it, and with SQLite the event loop does.
        `urgent` is for heartbeats and outcomes: they do not queue behind other writes' connections.
        """
        ...

    async def each(self, fn: Callable[[Tx], T], *, urgent: bool = False) -> T:
        """Run `fn`, whose statements may stand for themselves: no transaction has to be begun and committed for
        them, and what one did stays when a later one fails. When an answer is lost `fn` runs again, whatever
        became of it: each statement must bear being executed twice."""
        ...

    async def read(self, fn: Callable[[Tx], T], *, small: bool = False, urgent: bool = False) -> T:
        """Run `fn`, which only reads; it sees every write that was acknowledged before the call. `small`: it
        finds a few rows by their keys, so that handing it to a thread would take longer than the answer.
        `urgent`: it does not queue behind long reads."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then let go of the database."""
        ...
