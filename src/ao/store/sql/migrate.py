"""Which schema a database has, and how it gets the present one.

A fresh database is made from `schema_*.sql`; an older one is upgraded by Alembic, which is imported only
then; a newer one is refused.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ao import __version__
from ao.domain.errors import SchemaTooNew

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0017"
"""The schema of this version of AO. Revisions are numbered, so that older and newer can be told apart."""

MIGRATIONS = Path(__file__).with_name("migrations")

READ_VERSION = "SELECT version_num FROM alembic_version"
READ_AO_VERSION = "SELECT value FROM meta WHERE key = 'ao_version'"


def refuse_newer(name: str, schema: str, written_by: str) -> None:
    """Raise `SchemaTooNew` when the database's schema is not one of ours."""
    if schema > HEAD:
        raise SchemaTooNew(
            f"{name} has schema {schema}, written by AO {written_by or 'of a newer version'}; "
            f"this is AO {__version__} with schema {HEAD}.",
            hint=f"Install AO {written_by or 'of a newer version'} or newer, or restore the backup "
            "that was made before the upgrade.",
            details={"schema": schema, "schema_known": HEAD, "needs": written_by, "version": __version__},
        )


def fresh_statements(ddl: str) -> Iterator[str]:
    """The statements that make an empty database current."""
    text = resources.files(__package__).joinpath(ddl).read_text()
    yield from (statement for statement in text.split(";\n") if statement.strip())
    yield f"INSERT INTO alembic_version (version_num) VALUES ('{HEAD}')"
    yield write_ao_version()


def write_ao_version() -> str:
    return (
        f"INSERT INTO meta (key, value) VALUES ('ao_version', '{__version__}') "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )


def upgrade(connection: "Connection", revision: str = "head") -> None:
    """Run Alembic on an SQLAlchemy connection, in its transaction."""
    from alembic import command  # noqa: PLC0415  (0.3 s, and needed only after an upgrade of AO)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
