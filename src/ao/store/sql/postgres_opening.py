"""Opening a Postgres database: made or upgraded by one of the processes while the others wait."""

import asyncio

import psycopg

from ao import __version__
from ao.domain.errors import SchemaTooOld
from ao.store.sql import migrate
from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.engine import ClockOffset
from ao.store.sql.migrate import Found
from ao.store.sql.postgres import PostgresEngine
from ao.store.sql.postgres_found import ONE_AT_A_TIME, look, name_of
from ao.store.sql.postgres_session import Connection, connect
from ao.store.sql.store import SqlStore


async def open_postgres(url: str, offset: ClockOffset, *, upgrade: bool) -> SqlStore:
    await asyncio.to_thread(make_current, url, upgrade=upgrade)
    return SqlStore(PostgresEngine(url, offset))


def make_current(url: str, *, upgrade: bool = True) -> None:
    """Make an empty database; carry out the pre parts of migrations on an older one if that is wanted."""
    dialect = PostgresDialect()
    try:
        with connect(url) as connection:
            found = look(connection) or _make(connection, dialect)
            if found.schema >= migrate.HEAD:
                return
            if not upgrade:
                raise SchemaTooOld(
                    f"{name_of(connection)} has schema {found.schema}; AO {__version__} needs {migrate.HEAD}, "
                    "and AO_MIGRATE is off.",
                    hint="run `ao migrate --pre` first; `ao migrate --plan` shows what it does",
                )
        from ao.store.sql import postgres_migrating  # noqa: PLC0415  (only after an upgrade of AO)

        postgres_migrating.expand(url)
    except psycopg.Error as error:
        raise dialect.error(error) from error


def _make(connection: Connection, dialect: PostgresDialect) -> Found:
    """The database of whoever comes first."""
    with connection.transaction():
        connection.execute(ONE_AT_A_TIME)
        found = look(connection)
        if found is not None:
            return found
        for statement in migrate.fresh_statements(dialect.DDL):
            connection.execute(statement.encode())
    return Found(migrate.HEAD, __version__, migrate.MIN_READER, migrate.HEAD)
