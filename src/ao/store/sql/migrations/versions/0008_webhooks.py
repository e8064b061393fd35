"""Webhooks: where a run's end is to be told, the outbox, and every try."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("run_head", sa.Column("webhook", sa.Integer(), nullable=True))
    op.create_table(
        "run_webhook",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("url", _TEXT, nullable=False),
        sa.Column("secret", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="run_webhook_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("url", _TEXT, nullable=False),
        sa.Column("secret", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", name="webhook_delivery_pkey"),
        comment="The outbox: written with the terminal transition of a run that has a webhook.",
        sqlite_with_rowid=False,
    )
    op.create_index("webhook_delivery_run", "webhook_delivery", ["run_id"])
    pending = sa.text("state = 'pending'")
    op.create_index(
        "webhook_delivery_due",
        "webhook_delivery",
        ["due_us"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_table(
        "webhook_try",
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "at_us", name="webhook_try_pkey"),
        sqlite_with_rowid=False,
    )
