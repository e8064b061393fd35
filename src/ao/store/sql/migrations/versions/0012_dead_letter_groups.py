"""Dead letters are grouped and counted from an index, with the versions that failed."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NOT_REPLAYED = sa.text("replayed_by IS NULL")


def upgrade() -> None:
    op.add_column("dead_letter", sa.Column("version", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE dead_letter SET version = (SELECT d.version FROM run_head h "
        "JOIN deployment d ON d.deployment_id = h.deployment_id WHERE h.run_id = dead_letter.run_id)"
    )
    op.create_index(
        "dead_letter_open",
        "dead_letter",
        ["agent", "fingerprint", "at_us", "version", "run_id", "replayed_by"],
        unique=False,
        sqlite_where=_NOT_REPLAYED,
        postgresql_where=_NOT_REPLAYED,
    )
