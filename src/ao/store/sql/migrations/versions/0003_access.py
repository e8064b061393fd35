"""Scope, expiry and last use of API keys; the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    for column in (
        sa.Column("agents", _TEXT, nullable=True),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("last_used_us", sa.BigInteger(), nullable=True),
        sa.Column("actor", _TEXT, nullable=True),
    ):
        op.add_column("api_key", column)
    op.create_table(
        "audit",
        sa.Column("audit_id", _TEXT, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, _TEXT, nullable=False)
            for name in ("actor", "action", "target", "agent", "details", "source", "request_id", "key_id")
        ),
        sa.PrimaryKeyConstraint("audit_id", name="audit_pkey"),
        comment="Append-only: who changed what, when, from where; written in the transaction of the change.",
        sqlite_with_rowid=False,
    )
    op.create_index("audit_agent", "audit", ["agent", "audit_id"])
    op.create_index("audit_target", "audit", ["target", "audit_id"])
