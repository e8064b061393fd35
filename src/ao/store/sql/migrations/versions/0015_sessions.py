"""Sessions: state, messages and a workspace between the runs of an agent."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str, *, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, _TEXT, nullable=null)


def _int(name: str, *, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "session",
        _text("agent"),
        _text("session_id"),
        _int("created_us"),
        _int("used_us"),
        _text("actor"),
        sa.PrimaryKeyConstraint("agent", "session_id", name="session_pkey"),
        comment="Its row is the lock for whoever adds a run or changes it by hand.",
        sqlite_with_rowid=False,
    )
    op.create_index("session_used", "session", ["used_us", "agent", "session_id"], unique=False)
    op.create_index("session_agent", "session", ["agent", "used_us", "session_id"], unique=False)
    op.create_table(
        "session_version",
        _text("agent"),
        _text("session_id"),
        _int("version"),
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
        sa.PrimaryKeyConstraint("agent", "session_id", "version", name="session_version_pkey"),
        comment="The highest version is what a session is now. Rows never change.",
    )
    op.create_table(
        "session_message",
        _text("agent"),
        _text("session_id"),
        _int("seq"),
        _int("version"),
        _int("until_version", null=True),
        _int("at_us"),
        _text("run_id", null=True),
        _text("role"),
        _text("content", null=True),
        _text("content_blob", null=True),
        sa.PrimaryKeyConstraint("agent", "session_id", "seq", "version", name="session_message_pkey"),
        comment="From `version` on, and not from `until_version` on.",
    )
    taken_back = sa.text("until_version IS NOT NULL")
    op.create_index(
        "session_message_until",
        "session_message",
        ["agent", "session_id", "until_version"],
        unique=False,
        sqlite_where=taken_back,
        postgresql_where=taken_back,
    )
    op.create_table(
        "session_run",
        _text("run_id"),
        _text("agent"),
        _text("session_id"),
        sa.Column("undo", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="session_run_pkey"),
        comment="Runs of sessions that have not ended. `undo`: what it has committed is taken back at its end.",
        sqlite_with_rowid=False,
    )
    op.create_index("session_run_session", "session_run", ["agent", "session_id", "run_id"], unique=False)
    op.create_table(
        "session_step",
        _text("run_id"),
        _text("path"),
        _text("writes", null=True),
        _text("writes_blob", null=True),
        sa.PrimaryKeyConstraint("run_id", "path", name="session_step_pkey"),
        comment="What a recorded step did to its run's session.",
    )
    op.add_column("run", _text("session", null=True))
    op.add_column("run_head", _int("session_base", null=True))
    of_session = sa.text("session IS NOT NULL")
    op.create_index(
        "run_session",
        "run",
        ["agent", "session", "run_id"],
        unique=False,
        sqlite_where=of_session,
        postgresql_where=of_session,
    )
