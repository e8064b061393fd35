"""Everything in which SQLite and Postgres differ for the SQL of AO, and nothing else.

Hooks: `sql` (parameter style, lock clauses), `alone` (the same for a statement that reads the clock itself),
`NOW` (the clock), `BEGIN`, `DDL` (the schema as text),
`schema_version` (where the migration tool keeps it), `total_size` and `table_sizes` (how large it is),
`abandoned` (ends writes that nobody goes on with) and `error` (what a failure means to a caller).
"""

import errno
import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from ao.domain.errors import (
    AoError,
    Conflict,
    DatabaseDamaged,
    InternalError,
    InvalidInput,
    StorageFull,
    Unavailable,
)

T = TypeVar("T")

_LOCK = re.compile(r"\s+FOR UPDATE(?: OF \w+)?(?: SKIP LOCKED)?", re.IGNORECASE)
_NOW = re.compile(r"(?<!:):now\b")
_PARAMETER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
_CLOSED_HINT = "see who owns it: AO has to write it, and into its directory"
_POSTGRES_HINT = "see that Postgres is up, and that AO_DATABASE_URL names it with a user who may enter"
_FULL_HINT = "Free space on the disk that holds the database; AO continues by itself."


LARGE = {"run": "input", "run_outcome": "output", "run_event": "data", "run_step": "value"}
"""Tables that grow with every run, and the column that most of their bytes are in."""
_ROW_BYTES = 150
"""Of the other columns and of indexes."""


def _estimate(table: str, column: str) -> str:
    """Rows by the first and the last number, bytes by the latest rows: no look at all of them."""
    return f"""
SELECT '{table}', n.rows, CAST(n.rows * ({_ROW_BYTES} + n.each) AS INTEGER) FROM (
  SELECT COALESCE((SELECT MAX(rowid) FROM {table}) - (SELECT MIN(rowid) FROM {table}) + 1, 0) AS rows,
    (SELECT COALESCE(AVG(LENGTH(v)), 0) FROM (
      SELECT {column} AS v FROM {table} ORDER BY rowid DESC LIMIT 1000)) AS each) n"""


class _Statements(dict[str, T]):
    """Translated SQL by its text."""

    def __init__(self, translate: Callable[[str], T]) -> None:
        super().__init__()
        self._translate = translate

    def __missing__(self, text: str) -> T:
        translated = self[text] = self._translate(text)
        return translated


class Statement(NamedTuple):
    """As the protocol of Postgres takes it."""

    text: bytes
    names: tuple[str, ...]
    """Of its parameters `$1`, `$2`, …"""
    asks_now: bool


class SqliteDialect:
    """SQLite has one writer, so lock clauses fall away; its clock is this machine's."""

    DDL = "schema_sqlite.sql"
    BEGIN = "BEGIN IMMEDIATE"
    abandoned = None
    total_size = """
SELECT c.page_count * s.page_size, f.freelist_count * s.page_size
FROM pragma_page_count c, pragma_page_size s, pragma_freelist_count f"""
    table_sizes = " UNION ALL ".join(_estimate(table, column) for table, column in LARGE.items())

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sql = _Statements(self.translate)

    @staticmethod
    def now_us() -> int:
        return time.time_ns() // 1_000

    def translate(self, text: str) -> str:
        return _LOCK.sub("", text)

    def error(self, error: Exception) -> AoError:
        """What went wrong, in AO's words."""
        if isinstance(error, UnicodeEncodeError):
            return InvalidInput("Text for the database has half of a surrogate pair.")
        if isinstance(error, OSError):
            full = error.errno == errno.ENOSPC
            return (StorageFull if full else Unavailable)(f"{self._path} cannot be used now: {error}")
        if not isinstance(error, sqlite3.Error):
            return InternalError(f"The database layer failed: {error!r}")
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and self._disk_is_full()):
            return StorageFull(f"There is no space left for {self._path}.", hint=_FULL_HINT)
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return DatabaseDamaged(f"{self._path} is damaged: {error}")
        if name.startswith(
            ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")
        ):
            closed = name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
            return Unavailable(f"{self._path} cannot be used now: {error}", hint=_CLOSED_HINT if closed else "")
        if name.startswith("SQLITE_CONSTRAINT"):
            return Conflict(f"The database refused a duplicate: {error}")
        return InternalError(f"SQLite: {error}")

    def _disk_is_full(self) -> bool:
        try:
            free = os.statvfs(self._path.parent)
        except OSError as error:
            return error.errno == errno.ENOSPC
        return free.f_bavail * free.f_frsize < 1 << 20


_POSTGRES_SESSION = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "6s",
}
"""A client that was cut off in the middle of what it says is not idle: until the server sees that it is gone,
which takes two hours without these, it holds what it has locked."""

_POSTGRES_SETTINGS = {
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "4s",
}


class PostgresDialect:
    """READ COMMITTED, row locks; the server's clock, read once in each write or by each statement alone."""

    DDL = "schema_postgres.sql"
    total_size = "SELECT pg_database_size(current_database()), 0"
    table_sizes = f"""
SELECT c.relname::text, NULLIF(c.reltuples, -1)::bigint, pg_total_relation_size(c.oid) FROM pg_class c
WHERE c.oid IN ({", ".join(f"to_regclass('{table}')" for table in LARGE)})
ORDER BY array_position(ARRAY[{", ".join(f"'{table}'" for table in LARGE)}], c.relname::text)"""
    abandoned = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = 'ao'
  AND wait_event = 'ClientRead' AND xact_start < clock_timestamp() - make_interval(secs => :seconds)"""
    """A client that stops in the middle of statements that travel together is not `idle in transaction`, and no
    setting limits that."""
    NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    OWN_NOW = "((extract(epoch FROM statement_timestamp()) * 1000000)::bigint + :offset_us)"
    """`:now` in a statement that is alone. It is one instant for the planner, too, so that indexes are used."""
    BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
    _TRANSIENT = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "25P03"})
    """Connection lost, serialization failure, deadlock, lock timeout, shutdown, idle in transaction."""

    OUTDATED = frozenset({"0A000", "26000"})
    """What was prepared has another result since the schema changed, or is gone: it is prepared anew."""

    @staticmethod
    def settings(statement_seconds: int, *, local: bool) -> str:
        """Sets them, where a statement takes so long at most. `local`: for one transaction; behind a pooler
        those of a session would leak or be lost."""
        settings = _POSTGRES_SETTINGS | {"statement_timeout": f"{statement_seconds}s"}
        settings |= {} if local else _POSTGRES_SESSION
        return "SELECT " + ", ".join(
            f"set_config('{name}', '{value}', {str(local).lower()})" for name, value in settings.items()
        )

    def __init__(self) -> None:
        self.sql = _Statements(self.translate)
        self.alone = _Statements(lambda text: self.translate(_NOW.sub(self.OWN_NOW, text)))

    def translate(self, text: str) -> Statement:
        names = list(dict.fromkeys(_PARAMETER.findall(text)))
        numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", text)
        return Statement(numbered.encode(), tuple(names), "now" in names)

    def error(self, error: Exception) -> AoError:
        """What went wrong, in AO's words."""
        state = getattr(error, "sqlstate", None) or ""
        if isinstance(error, UnicodeEncodeError) or state.startswith("22") or _is(error, "DataError"):
            return InvalidInput(f"The database refused a value: {error}")
        if state == "53100":
            return StorageFull("The disk of the Postgres server is full.", hint=_FULL_HINT)
        if state == "23505":
            return Conflict(f"The database refused a duplicate: {error}")
        if state.startswith("XX"):
            return DatabaseDamaged(f"Postgres reports damage: {error}")
        if _is_lost(error) or state[:2] in {"08", "40", "53", "55", "57", "58"} or state == "25006":
            reason = " ".join(str(error).split())
            return Unavailable(f"Postgres cannot be used now: {reason}", hint=_POSTGRES_HINT)
        return InternalError(f"Postgres ({state}): {error}")

    def is_transient(self, error: Exception) -> bool:
        """The server rolled it back, or never heard of it: trying again is right."""
        state = getattr(error, "sqlstate", None) or ""
        return _is_lost(error) or state in self._TRANSIENT | self.OUTDATED or state.startswith("08")


def _is_lost(error: Exception) -> bool:
    """The connection could not be made, or broke: the server said nothing."""
    silent = getattr(error, "sqlstate", None) is None
    return silent and (_is(error, "OperationalError") or _is(error, "InterfaceError"))


def _is(error: Exception, name: str) -> bool:
    """Of this class of the driver, which is not imported here: SQLite's users do not have to load it."""
    return any(parent.__name__ == name for parent in type(error).__mro__)
