"""Gates: how many runs that have something in common may go on at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_HELD = sa.text("state = 'held'")
_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.add_column("run", sa.Column("concurrency_key", _TEXT, nullable=True))
    op.add_column("run_head", sa.Column("gated", sa.Integer(), nullable=True))
    op.create_table(
        "gate",
        sa.Column("name", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="gate_pkey"),
        sqlite_with_rowid=False,
        comment="What writes lock before they look at who holds a gate; there while somebody does.",
    )
    op.create_table(
        "run_gate",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("hold", _TEXT, nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", name="run_gate_pkey"),
        sqlite_with_rowid=False,
        comment="Gates of runs that have not ended: each is idle, waiting or held.",
    )
    op.create_index("run_gate_held", "run_gate", ["name", "run_id"], sqlite_where=_HELD, postgresql_where=_HELD)
    op.create_index(
        "run_gate_waiting",
        "run_gate",
        ["name", "rank", "run_id"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
