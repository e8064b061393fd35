"""Which schema a database has, which programs may work on it, and how an empty one is made.

A migration has two parts. The pre part only adds: programs of the schema before go on working beside it, unless
the migration says that it breaks them. The post part takes away what they needed, when none of them is left.
The database says which programs may work on it (`min_reader`); who is older is refused when it starts and, on
Postgres, while it works. `ao.store.sql.revisions` carries migrations out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ao import __version__
from ao.domain.errors import SchemaTooNew

HEAD = "0019"
"""The schema of this version of AO. Revisions are numbered, so that older and newer can be told apart."""
MIN_READER = "0018"
"""Who may work on a database that has both parts of every migration: programs of this schema and later."""
PROCESSES_SINCE = "0018"
"""From this schema on, processes and their releases are known."""
NEVER = "0000"

MIGRATIONS = Path(__file__).with_name("migrations")

READ_VERSION = "SELECT version_num FROM alembic_version"
READ_META = "SELECT key, value FROM meta WHERE key IN ('ao_version', 'min_reader', 'contracted')"


@dataclass(frozen=True, slots=True)
class Found:
    """What a database says of itself."""

    schema: str
    written_by: str
    """The version of AO that made it so; empty when it does not say."""
    min_reader: str
    """Programs of earlier schemas may not work on it."""
    contracted: str
    """Up to here, the post parts were carried out."""

    @classmethod
    def of(cls, schema: str, meta: Sequence[tuple[str, str]]) -> "Found":
        """From the rows of `READ_META`. Who upgraded before there was a `min_reader` meant nobody else."""
        said = dict(meta)
        min_reader = said.get("min_reader", schema)
        return cls(schema, said.get("ao_version", ""), min_reader, said.get("contracted", NEVER))

    def refuse_newer(self, name: str) -> None:
        """Raise `SchemaTooNew` when this program is older than those that may work on the database."""
        if self.min_reader > HEAD:
            raise too_new(name, self.schema, self.min_reader, self.written_by)


def too_new(name: str, schema: str, min_reader: str, written_by: str) -> SchemaTooNew:
    needed = written_by or "of a newer version"
    return SchemaTooNew(
        f"{name} has schema {schema}, written by AO {needed}, which programs older than schema {min_reader} "
        f"may not use; this is AO {__version__} with schema {HEAD}.",
        hint=f"Install AO {needed} or newer, or restore the backup that was made before the upgrade.",
        details={
            "schema": schema,
            "schema_known": HEAD,
            "min_reader": min_reader,
            "needs": written_by,
            "version": __version__,
        },
    )


@dataclass(frozen=True, slots=True)
class Step:
    revision: str
    summary: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to be done, and who may work meanwhile and afterwards."""

    found: Found | None
    """None: the database is empty, and becomes current in one step."""
    pre: Sequence[Step] = ()
    post: Sequence[Step] = ()
    min_reader_pre: str = MIN_READER
    """After the pre parts."""
    min_reader_post: str = MIN_READER
    head: str = HEAD

    @property
    def beside(self) -> bool:
        """Programs of the schema as it is go on while the pre parts are carried out, and afterwards."""
        return self.found is None or self.found.schema >= self.min_reader_pre


def fresh_statements(ddl: str) -> Iterator[str]:
    """The statements that make an empty database current."""
    text = resources.files(__package__).joinpath(ddl).read_text()
    yield from (statement for statement in text.split(";\n") if statement.strip())
    yield f"INSERT INTO alembic_version (version_num) VALUES ('{HEAD}')"
    yield from said(ao_version=__version__, min_reader=MIN_READER, contracted=HEAD)


def said(**entries: str) -> Iterator[str]:
    """Statements that write these entries of `meta`."""
    for key, value in entries.items():
        yield (
            f"INSERT INTO meta (key, value) VALUES ('{key}', '{value}') "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        )
