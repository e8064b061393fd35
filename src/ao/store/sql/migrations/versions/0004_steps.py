"""Steps, and runs that begin with the steps of another."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("run", sa.Column("fork_of", _TEXT, nullable=True))
    op.add_column("run", sa.Column("fork_step", _TEXT, nullable=True))
    op.create_table(
        "run_step",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("parent", _TEXT, nullable=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("step_key", _TEXT, nullable=True),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", _TEXT, nullable=False),
        sa.Column("once", sa.Integer(), nullable=False),
        sa.Column("value", _TEXT, nullable=True),
        sa.Column("value_blob", _TEXT, nullable=True),
        sa.Column("error", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("run_id", "path", name="run_step_pkey"),
        comment="What no later execution of a run does again. A completed step never changes.",
    )
