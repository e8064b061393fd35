"""Questions of agents, and the timers of runs that wait for an answer."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "run_question",
        sa.Column("question_id", _TEXT, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.Column("schema", _TEXT, nullable=True),
        sa.Column("details", _TEXT, nullable=True),
        sa.Column("fingerprint", _TEXT, nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.Column("deadline_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("actor", _TEXT, nullable=True),
        sa.Column("comment", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("question_id", name="run_question_pkey"),
        comment="What runs ask people. The answer is the result of the step with the same path.",
    )
    op.create_index("run_question_path", "run_question", ["run_id", "path"], unique=True)
    unanswered = sa.text("state = 'open'")
    op.create_index(
        "run_question_open",
        "run_question",
        ["question_id"],
        sqlite_where=unanswered,
        postgresql_where=unanswered,
    )
    op.create_table(
        "run_timer",
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("due_us", "run_id", name="run_timer_pkey"),
        comment="Paused runs that go on at some instant even without an answer.",
        sqlite_with_rowid=False,
    )
