"""The schema is described three times for speed and safety; here they are held together."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Inspector, NullPool, create_engine, inspect

from ao.domain.errors import SchemaTooNew
from ao.store.sql import ddl, migrate, open_postgres, open_sqlite, revisions, schema
from ao.store.sql.postgres_opening import make_current


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An empty database, as SQLAlchemy sees it."""
    if request.param == "sqlite":
        return create_engine(f"sqlite:///{tmp_path / 'migrated.db'}", poolclass=NullPool)
    return as_engine(request.getfixturevalue("empty_postgres"))


def as_engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def described(inspector: Inspector) -> dict[str, object]:
    """Tables, columns, keys and indexes, to compare databases that were made in different ways."""
    return {
        table: (
            [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            ],
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted(
                (str(index["name"]), tuple(index["column_names"]), bool(index["unique"]))
                for index in inspector.get_indexes(table)
            ),
        )
        for table in inspector.get_table_names()
    }


class TestSchema:
    def test_migrations_lead_to_the_metadata(self, empty: Engine) -> None:
        with empty.begin() as connection:
            revisions.upgrade(connection)
        with empty.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []

    async def test_a_fresh_database_equals_a_migrated_one(
        self, empty: Engine, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        with empty.begin() as connection:
            revisions.upgrade(connection)
        if empty.dialect.name == "sqlite":
            await (await open_sqlite(tmp_path / "fresh.db")).close()
            fresh = create_engine(f"sqlite:///{tmp_path / 'fresh.db'}", poolclass=NullPool)
        else:
            fresh = as_engine(request.getfixturevalue("postgres_url"))
        assert described(inspect(fresh)) == described(inspect(empty))

    @pytest.mark.parametrize("name", ddl.FILES)
    def test_the_shipped_sql_is_the_metadata(self, name: str) -> None:
        shipped = Path(ddl.__file__).with_name(name).read_text()
        assert shipped == ddl.render(ddl.FILES[name]), "run `python -m ao.store.sql.ddl`"

    def test_the_head_is_the_last_migration(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(migrate.MIGRATIONS))
        assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]

    def test_who_may_work_on_it_is_what_the_migrations_say(self) -> None:
        ended = [each.number for each in revisions.revisions() if each.breaks_earlier or each.contract]
        assert max(ended) == migrate.MIN_READER


class TestPostgres:
    async def test_replicas_that_start_together_make_the_schema_once(self, empty_postgres: str) -> None:
        stores = await asyncio.gather(*(open_postgres(empty_postgres) for _ in range(4)))
        for store in stores:
            await store.check()
            await store.close()

    async def test_a_newer_schema_is_refused_with_both_versions(self, empty_postgres: str) -> None:
        make_current(empty_postgres)
        with as_engine(empty_postgres).begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
            connection.exec_driver_sql("UPDATE meta SET value = '7.1.0' WHERE key = 'ao_version'")
            connection.exec_driver_sql("UPDATE meta SET value = '9998' WHERE key = 'min_reader'")
        with pytest.raises(SchemaTooNew) as caught:
            await open_postgres(empty_postgres)
        for part in ("9999", "9998", "7.1.0", migrate.HEAD):
            assert part in caught.value.message
