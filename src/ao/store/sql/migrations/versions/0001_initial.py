"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "agent",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="agent_pkey"),
    )
    op.create_table(
        "api_key",
        sa.Column("key_id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("role", _TEXT, nullable=False),
        sa.Column("key_hash", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="api_key_pkey"),
    )
    op.create_index("api_key_hash", "api_key", ["key_hash"], unique=True)
    op.create_table(
        "deployment",
        sa.Column("deployment_id", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("message", _TEXT, nullable=False),
        sa.Column("source_digest", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("log_seq", sa.BigInteger(), nullable=False),
        sa.Column("error", _TEXT, nullable=True),
        sa.Column("digest", _TEXT, nullable=True),
        sa.Column("config", _TEXT, nullable=True),
        sa.Column("env_key", _TEXT, nullable=True),
        sa.Column("lock_digest", _TEXT, nullable=True),
        sa.Column("requirements_hash", _TEXT, nullable=True),
        sa.Column("parts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("deployment_id", name="deployment_pkey"),
    )
    op.create_index("deployment_version", "deployment", ["agent", "version"], unique=True)
    op.create_table(
        "deployment_log",
        sa.Column("deployment_id", _TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "seq", name="deployment_log_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "idempotency",
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("request_hash", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("agent", "key", name="idempotency_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="meta_pkey"),
    )
    op.create_table(
        "pointer",
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("environment", _TEXT, nullable=False),
        sa.Column("pointer", _TEXT, nullable=False),
        sa.Column("deployment_id", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "environment", "pointer", name="pointer_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pointer_log",
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("environment", _TEXT, nullable=False),
        sa.Column("pointer", _TEXT, nullable=False),
        sa.Column("from_version", sa.BigInteger(), nullable=True),
        sa.Column("to_version", sa.BigInteger(), nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "seq", name="pointer_log_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("environment", _TEXT, nullable=False),
        sa.Column("input", _TEXT, nullable=True),
        sa.Column("input_blob", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("pinned_deployment_id", _TEXT, nullable=True),
        sa.Column("schedule_id", _TEXT, nullable=True),
        sa.Column("tick_us", sa.BigInteger(), nullable=True),
        sa.Column("lineage", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="run_pkey"),
        comment="Immutable: what was asked for.",
    )
    op.create_index("run_agent", "run", ["agent", "run_id"], unique=False)
    op.create_table(
        "run_attempt",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("worker_id", _TEXT, nullable=False),
        sa.Column("sandbox", _TEXT, nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("kind", _TEXT, nullable=True),
        sa.Column("error", _TEXT, nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("max_rss_bytes", sa.BigInteger(), nullable=True),
        sa.Column("cpu_seconds", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "number", name="run_attempt_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_blocked",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="run_blocked_pkey"),
        comment="Pending runs that have no deployment to run on; promoted when a pointer moves.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_delayed",
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("due_us", "run_id", name="run_delayed_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_event",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("data", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "seq", name="run_event_pkey"),
    )
    op.create_table(
        "run_head",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Integer(), nullable=False),
        sa.Column("active_us", sa.BigInteger(), nullable=False),
        sa.Column("attempt_started_us", sa.BigInteger(), nullable=True),
        sa.Column("started_us", sa.BigInteger(), nullable=True),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("due_us", sa.BigInteger(), nullable=True),
        sa.Column("worker_id", _TEXT, nullable=True),
        sa.Column("deployment_id", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("run_id", name="run_head_pkey"),
        comment="The mutable part of a run; every change is guarded by state and fence.",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "run_head_state",
        "run_head",
        ["state", "run_id"],
        unique=False,
        sqlite_where=sa.text("state <> 'completed'"),
        postgresql_where=sa.text("state <> 'completed'"),
    )
    op.create_table(
        "run_outcome",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("output", _TEXT, nullable=True),
        sa.Column("output_blob", _TEXT, nullable=True),
        sa.Column("error", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("run_id", name="run_outcome_pkey"),
        comment="The result, or the last attempt's error as JSON.",
    )
    op.create_table(
        "run_ready",
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("rank", "run_id", name="run_ready_pkey"),
        comment="Only what can be claimed now; rank is -priority, so that the key is the order of claims.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "schedule",
        sa.Column("schedule_id", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("environment", _TEXT, nullable=False),
        sa.Column("cron", _TEXT, nullable=False),
        sa.Column("timezone", _TEXT, nullable=False),
        sa.Column("missed", _TEXT, nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("last_tick_us", sa.BigInteger(), nullable=True),
        sa.Column("last_run_id", _TEXT, nullable=True),
        sa.Column("paused", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", name="schedule_pkey"),
    )
    op.create_index("schedule_agent", "schedule", ["agent", "environment"], unique=True)
    op.create_table(
        "schedule_tick",
        sa.Column("schedule_id", _TEXT, nullable=False),
        sa.Column("tick_us", sa.BigInteger(), nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "tick_us", name="schedule_tick_pkey"),
        comment="Each tick fires once.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "secret",
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("agent", "name", name="secret_pkey"),
    )
    op.create_table(
        "worker",
        sa.Column("worker_id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("sandbox", _TEXT, nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_us", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name="worker_pkey"),
        comment="One row per live worker. No index on its times: a heartbeat must stay cheap.",
    )
