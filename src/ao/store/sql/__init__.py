"""One implementation of `ao.store` for SQLite and Postgres; SQL is written once."""

from pathlib import Path

from ao.store import Store
from ao.store.sql.engine import ClockOffset


async def open_sqlite(path: Path, *, offset: ClockOffset | None = None) -> Store:
    """Open (or make) the database file, migrate it, and start its writer.

    Raises `DatabaseDamaged` (the file is left untouched), `SchemaTooNew`, `StorageFull`, `Unavailable`.
    Only tests pass `offset`.
    """
    from ao.store.sql import sqlite_opening  # noqa: PLC0415  (each database's driver loads alone)

    return await sqlite_opening.open_sqlite(path, offset or ClockOffset())


async def open_postgres(url: str, *, offset: ClockOffset | None = None, upgrade: bool = True) -> Store:
    """Connect to `postgresql://…` (PgBouncer in transaction mode will do), make an empty database, and carry
    out the pre parts of migrations unless `upgrade` is False.

    Raises `SchemaTooNew`, `SchemaTooOld`, `Conflict` (older programs are at work that could not go on),
    `Unavailable`. Only tests pass `offset`.
    """
    from ao.store.sql import postgres_opening  # noqa: PLC0415  (each database's driver loads alone)

    return await postgres_opening.open_postgres(url, offset or ClockOffset(), upgrade=upgrade)
