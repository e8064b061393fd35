"""The part of the schema about processes."""

from sqlalchemy import Table

from ao.store.sql.columns import int_column as _int
from ao.store.sql.columns import metadata
from ao.store.sql.columns import text_column as _text

process = Table(
    "process",
    metadata,
    _text("process_id", key=True),
    _text("role"),
    _text("host"),
    _text("version"),
    _text("schema_known"),
    _int("started_us"),
    _int("beat_us"),
    comment="One row per process at work on Postgres, with the schema that its release knows.",
)
