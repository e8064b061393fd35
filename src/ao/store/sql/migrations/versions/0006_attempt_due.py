"""When an attempt could start at the earliest: what was delay and what was queue."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_attempt", sa.Column("due_us", sa.BigInteger(), nullable=True))
