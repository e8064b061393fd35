"""Named schedules beside the declared one, and what became of each tick."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=default is None, server_default=default)


def _number(name: str, kind: sa.types.TypeEngine[int], default: int | None = None) -> sa.Column[int]:
    given = None if default is None else sa.text(str(default))
    return sa.Column(name, kind, nullable=default is None, server_default=given)


def upgrade() -> None:
    small, large = sa.Integer(), sa.BigInteger()
    for column in (
        _text("name", "cron"),
        _number("declared", small, 1),
        _text("overlap", "skip"),
        _number("catch_up_us", large),
        _number("start_us", large),
        _number("end_us", large),
        _number("priority", small, 0),
        _text("input"),
        _text("input_blob"),
        _text("pause_reason"),
        _text("pause_actor"),
        _number("paused_us", large),
        _text("actor", ""),
        _number("created_us", large, 0),
        _number("forgotten_us", large, 0),
        _number("revision", large, 0),
        _number("withdrawn", small, 0),
    ):
        op.add_column("schedule", column)
    op.drop_index("schedule_agent", "schedule")
    op.create_index("schedule_name", "schedule", ["agent", "name"], unique=True)
    for column in (_text("outcome", "fired"), _text("reason", ""), _number("at_us", large, 0)):
        op.add_column("schedule_tick", column)
    op.create_index("schedule_tick_age", "schedule_tick", ["tick_us"])
    op.create_table(
        "schedule_run",
        sa.Column("schedule_id", _TEXT, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "run_id", name="schedule_run_pkey"),
        comment="Runs of ticks that may not have ended; the next tick looks, and removes those that have.",
        sqlite_with_rowid=False,
    )
