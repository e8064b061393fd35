"""Processes and their releases are known, so that two releases may work side by side from here on."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
breaks_earlier = True
"""They know neither schedules by name nor sessions, and ask nobody whether they may go on."""

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "process",
        sa.Column("process_id", _TEXT, nullable=False),
        sa.Column("role", _TEXT, nullable=False),
        sa.Column("host", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("schema_known", _TEXT, nullable=False),
        sa.Column("started_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("beat_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("process_id", name="process_pkey"),
        comment="One row per process at work on Postgres, with the schema that its release knows.",
    )
