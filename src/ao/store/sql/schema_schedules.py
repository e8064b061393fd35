"""The tables of schedules."""

from sqlalchemy import Index, Table

from ao.store.sql.columns import int_column as _int
from ao.store.sql.columns import metadata
from ao.store.sql.columns import small_column as _small
from ao.store.sql.columns import text_column as _text

schedule = Table(
    "schedule",
    metadata,
    _text("schedule_id", key=True),
    _text("agent"),
    _text("environment"),
    _text("cron"),
    _text("timezone"),
    _text("missed"),
    _int("next_us"),
    _int("last_tick_us", null=True),
    _text("last_run_id", null=True),
    _small("paused"),
    _text("name", default="cron"),
    _small("declared", default=1),
    _text("overlap", default="skip"),
    _int("catch_up_us", null=True),
    _int("start_us", null=True),
    _int("end_us", null=True),
    _small("priority", default=0),
    _text("input", null=True),
    _text("input_blob", null=True),
    _text("pause_reason", null=True),
    _text("pause_actor", null=True),
    _int("paused_us", null=True),
    _text("actor", default=""),
    _int("created_us", default=0),
    _int("forgotten_us", default=0),
    _int("revision", default=0),
    _small("withdrawn", default=0),
    Index("schedule_name", "agent", "name", unique=True),
)
"""Those that a release declared and a later one did not are withdrawn, not removed: they may come back."""

schedule_tick = Table(
    "schedule_tick",
    metadata,
    _text("schedule_id", key=True),
    _int("tick_us", key=True),
    _text("run_id"),
    _text("outcome", default="fired"),
    _text("reason", default=""),
    _int("at_us", default=0),
    Index("schedule_tick_age", "tick_us"),
    sqlite_with_rowid=False,
    comment="Each tick fires once.",
)

schedule_run = Table(
    "schedule_run",
    metadata,
    _text("schedule_id", key=True),
    _text("run_id", key=True),
    sqlite_with_rowid=False,
    comment="Runs of ticks that may not have ended; the next tick looks, and removes those that have.",
)
