"""The part of the schema about sessions."""

from sqlalchemy import Index, Table, text

from ao.store.sql.columns import int_column as _int
from ao.store.sql.columns import metadata
from ao.store.sql.columns import small_column as _small
from ao.store.sql.columns import text_column as _text

session = Table(
    "session",
    metadata,
    _text("agent", key=True),
    _text("session_id", key=True),
    _int("created_us"),
    _int("used_us"),
    _text("actor"),
    Index("session_used", "used_us", "agent", "session_id"),
    Index("session_agent", "agent", "used_us", "session_id"),
    sqlite_with_rowid=False,
    comment="Its row is the lock for whoever adds a run or changes it by hand.",
)

session_version = Table(
    "session_version",
    metadata,
    _text("agent", key=True),
    _text("session_id", key=True),
    _int("version", key=True),
    _int("at_us"),
    _text("change"),
    _text("actor"),
    _text("run_id", null=True),
    _text("step"),
    _text("changed"),
    _text("state", null=True),
    _text("state_blob", null=True),
    _int("messages"),
    _text("workspace", null=True),
    _text("workspace_blobs", null=True),
    _int("workspace_files"),
    _int("workspace_bytes"),
    comment="The highest version is what a session is now. Rows never change.",
)

session_message = Table(
    "session_message",
    metadata,
    _text("agent", key=True),
    _text("session_id", key=True),
    _int("seq", key=True),
    _int("version", key=True),
    _int("until_version", null=True),
    _int("at_us"),
    _text("run_id", null=True),
    _text("role"),
    _text("content", null=True),
    _text("content_blob", null=True),
    comment="From `version` on, and not from `until_version` on.",
)
_TAKEN_BACK = text("until_version IS NOT NULL")
Index(
    "session_message_until",
    session_message.c.agent,
    session_message.c.session_id,
    session_message.c.until_version,
    sqlite_where=_TAKEN_BACK,
    postgresql_where=_TAKEN_BACK,
)

session_run = Table(
    "session_run",
    metadata,
    _text("run_id", key=True),
    _text("agent"),
    _text("session_id"),
    _small("undo"),
    Index("session_run_session", "agent", "session_id", "run_id"),
    sqlite_with_rowid=False,
    comment="Runs of sessions that have not ended. `undo`: what it has committed is taken back at its end.",
)

session_step = Table(
    "session_step",
    metadata,
    _text("run_id", key=True),
    _text("path", key=True),
    _text("writes", null=True),
    _text("writes_blob", null=True),
    comment="What a recorded step did to its run's session.",
)
