"""The part of the schema about assistants."""

from sqlalchemy import Table

from ao.store.sql.columns import int_column as _int
from ao.store.sql.columns import metadata
from ao.store.sql.columns import text_column as _text

assistant = Table(
    "assistant",
    metadata,
    _text("name", key=True),
    _text("agent"),
    _int("created_us"),
    _int("newest"),
    _int("latest", null=True),
    _int("archived_us", null=True),
    comment="One for each agent, too, of its name and without versions: names are taken once for both.",
)

assistant_version = Table(
    "assistant_version",
    metadata,
    _text("name", key=True),
    _int("version", key=True),
    _text("config"),
    _text("overrides"),
    _text("environment"),
    _text("deployment_id", null=True),
    _text("actor"),
    _text("message"),
    _int("created_us"),
    comment="Immutable.",
)

assistant_move = Table(
    "assistant_move",
    metadata,
    _text("name", key=True),
    _int("seq", key=True),
    _text("action"),
    _int("from_version", null=True),
    _int("to_version"),
    _text("actor"),
    _text("message"),
    _int("at_us"),
    sqlite_with_rowid=False,
    comment="Append-only: what a name has meant, since when, because of whom.",
)

assistant_release = Table(
    "assistant_release",
    metadata,
    _text("name", key=True),
    _int("version", key=True),
    _text("deployment_id", key=True),
    _text("digest"),
    sqlite_with_rowid=False,
    comment="What runs of a version execute on a deployment: its release, or one derived from it.",
)
