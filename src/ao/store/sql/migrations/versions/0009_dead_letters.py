"""Runs that failed for good; those that failed before it are marked, too."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "dead_letter",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("fingerprint", _TEXT, nullable=False),
        sa.Column("title", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("replayed_by", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("run_id", name="dead_letter_pkey"),
        comment="Runs that failed for good.",
    )
    op.create_index("dead_letter_fingerprint", "dead_letter", ["fingerprint", "run_id"], unique=False)
    op.execute(
        "INSERT INTO dead_letter (run_id, agent, fingerprint, title, step, reason, at_us) "
        "SELECT h.run_id, r.agent, '', 'failed before dead letters were kept', '', 'failed', "
        "COALESCE(h.finished_us, r.created_us) FROM run_head h JOIN run r ON r.run_id = h.run_id "
        "WHERE h.state = 'failed'"
    )
