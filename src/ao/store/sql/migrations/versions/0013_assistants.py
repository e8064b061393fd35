"""Assistants: one for each agent that is there, of its name, and room for others."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("run", sa.Column("assistant", _TEXT, nullable=True))
    op.add_column("run", sa.Column("assistant_version", sa.BigInteger(), nullable=True))
    others = sa.text("assistant IS NOT NULL")
    op.create_index(
        "run_assistant", "run", ["assistant", "run_id"], sqlite_where=others, postgresql_where=others
    )
    op.create_table(
        "assistant",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=True),
        sa.Column("archived_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="assistant_pkey"),
        comment="One for each agent, too, of its name and without versions: names are taken once for both.",
    )
    op.create_table(
        "assistant_version",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("config", _TEXT, nullable=False),
        sa.Column("overrides", _TEXT, nullable=False),
        sa.Column("environment", _TEXT, nullable=False),
        sa.Column("deployment_id", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("message", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="assistant_version_pkey"),
        comment="Immutable.",
    )
    op.create_table(
        "assistant_move",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action", _TEXT, nullable=False),
        sa.Column("from_version", sa.BigInteger(), nullable=True),
        sa.Column("to_version", sa.BigInteger(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("message", _TEXT, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "seq", name="assistant_move_pkey"),
        comment="Append-only: what a name has meant, since when, because of whom.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "assistant_release",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deployment_id", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", "version", "deployment_id", name="assistant_release_pkey"),
        comment="What runs of a version execute on a deployment: its release, or one derived from it.",
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO assistant (name, agent, created_us, newest) SELECT name, name, created_us, 0 FROM agent"
    )
