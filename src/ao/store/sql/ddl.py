"""Renders the metadata as the `schema_*.sql` files, from which a fresh database is made.

They exist so that a first start needs neither SQLAlchemy nor Alembic (0.3 s). Run
`python -m ao.store.sql.ddl` after a change of the schema; a test compares files, metadata and migrations.
"""

from pathlib import Path

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from ao.store.sql.dialect import PostgresDialect, SqliteDialect
from ao.store.sql.schema import metadata

_VERSION_TABLE = """
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)"""

FILES: dict[str, Dialect] = {
    SqliteDialect.DDL: sqlite.dialect(),
    PostgresDialect.DDL: postgresql.dialect(),  # type: ignore[no-untyped-call]
}


def render(dialect: Dialect) -> str:
    statements = [_VERSION_TABLE]
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    lines = "".join(f"{statement.strip()};\n\n" for statement in statements).splitlines()
    header = "-- Made by `python -m ao.store.sql.ddl`; do not edit.\n\n"
    return header + "\n".join(line.rstrip() for line in lines).strip() + "\n"


def write_files() -> None:
    for name, dialect in FILES.items():
        Path(__file__).with_name(name).write_text(render(dialect))


if __name__ == "__main__":
    write_files()
