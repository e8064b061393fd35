"""Opening a Postgres database: made or upgraded by one of the replicas while the others wait."""

import asyncio

import psycopg

from ao.store.sql import migrate
from ao.store.sql.dialect import PostgresDialect
from ao.store.sql.engine import ClockOffset
from ao.store.sql.postgres import Connection, PostgresEngine, connect
from ao.store.sql.store import SqlStore

_FIND = """
SELECT 1 FROM pg_catalog.pg_class
WHERE relname = 'alembic_version'
  AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"""
"""Not `to_regclass`: it may answer from before another replica's commit that this one waited for."""
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(71010073)"


async def open_postgres(url: str, offset: ClockOffset) -> SqlStore:
    await asyncio.to_thread(make_current, url)
    return SqlStore(PostgresEngine(url, offset))


def make_current(url: str) -> None:
    dialect = PostgresDialect()
    try:
        with connect(url) as connection:
            if _schema(connection) == migrate.HEAD:
                return
            with connection.transaction():
                connection.execute(_ONE_AT_A_TIME)
                schema = _schema(connection)
                if schema is None:
                    for statement in migrate.fresh_statements(dialect.DDL):
                        connection.execute(statement.encode())
            if schema is not None and schema != migrate.HEAD:
                _upgrade(url)
    except psycopg.Error as error:
        raise dialect.error(error) from error


def _schema(connection: Connection) -> str | None:
    """The database's schema, or None when it is empty; raises `SchemaTooNew`."""
    if connection.execute(_FIND).fetchone() is None:
        return None
    schema = connection.execute(migrate.READ_VERSION).fetchone()
    written_by = connection.execute(migrate.READ_AO_VERSION).fetchone()
    if schema is None:
        return None
    name = f"The database {connection.info.dbname} on {connection.info.host}"
    migrate.refuse_newer(name, schema[0], written_by[0] if written_by else "")
    return str(schema[0])


def _upgrade(url: str) -> None:
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415  (only after an upgrade of AO)

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.begin() as transaction:
        transaction.exec_driver_sql(_ONE_AT_A_TIME)
        migrate.upgrade(transaction)
        transaction.exec_driver_sql(migrate.write_ao_version())
