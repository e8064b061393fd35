"""What a Postgres database says of its schema."""

from ao.store.sql import migrate
from ao.store.sql.migrate import Found
from ao.store.sql.postgres_session import Connection

_FIND = """
SELECT 1 FROM pg_catalog.pg_class
WHERE relname = 'alembic_version'
  AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"""
"""Not `to_regclass`: it may answer from before another replica's commit that this one waited for."""
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(71010073)"
"""Of a transaction, not of a session: behind PgBouncer there is none."""


def look(connection: Connection) -> Found | None:
    """What the database says of itself, or None when it is empty; raises `SchemaTooNew`."""
    if connection.execute(_FIND).fetchone() is None:
        return None
    schema = connection.execute(migrate.READ_VERSION).fetchone()
    if schema is None:
        return None
    found = Found.of(schema[0], [(key, value) for key, value in connection.execute(migrate.READ_META)])
    found.refuse_newer(name_of(connection))
    return found


def name_of(connection: Connection) -> str:
    return f"The database {connection.info.dbname} on {connection.info.host}"
