"""Flows take turns: what can be claimed is ordered by priority, flow and age."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.execute("CREATE TABLE ready_before AS SELECT rank, run_id FROM run_ready")
    op.drop_table("run_ready")
    op.create_table(
        "run_ready",
        sa.Column("rank", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("flow", _TEXT, nullable=False, server_default=""),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("rank", "flow", "run_id", name="run_ready_pkey"),
        sqlite_with_rowid=False,
        comment="Only what can be claimed now; rank is -priority. The flows of a rank (agents, or concurrency "
        "keys of them) take turns; the key has the order in each.",
    )
    op.execute(
        "INSERT INTO run_ready (rank, flow, run_id) "
        "SELECT q.rank, r.agent || COALESCE(':' || r.concurrency_key, ''), q.run_id "
        "FROM ready_before q JOIN run r ON r.run_id = q.run_id"
    )
    op.drop_table("ready_before")
