"""Placement: what workers have, and runs that not every worker may take."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("run_head", sa.Column("placement", _TEXT, nullable=True))
    op.create_table(
        "run_placed",
        sa.Column("placement", _TEXT, nullable=False),
        sa.Column("rank", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("flow", _TEXT, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("placement", "rank", "flow", "run_id", name="run_placed_pkey"),
        sqlite_with_rowid=False,
        comment="As run_ready, of runs that not every worker may take: a worker looks at the placements that "
        "it can serve, however many runs of others wait.",
    )
    op.create_index("run_placed_agent", "run_placed", ["agent", "run_id"])
    for name, kind, default in (
        ("labels", _TEXT, "{}"),
        ("memory", sa.BigInteger(), "0"),
        ("cpu", sa.BigInteger(), "0"),
        ("gpu", sa.Integer(), "0"),
        ("busy", sa.Integer(), "0"),
        ("draining", sa.Integer(), "0"),
        ("version", _TEXT, ""),
    ):
        default_text = f"'{default}'" if kind is _TEXT else default
        op.add_column("worker", sa.Column(name, kind, nullable=False, server_default=sa.text(default_text)))
