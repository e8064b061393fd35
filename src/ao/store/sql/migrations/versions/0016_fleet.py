"""Builds on several servers: any machine can make the environment of a release, and a build has a lease."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("deployment", sa.Column("recipe", _TEXT, nullable=True))
    op.add_column("deployment", sa.Column("build_lease_us", sa.BigInteger(), nullable=True))
