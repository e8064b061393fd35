"""The schema, as SQLAlchemy metadata: the source of the migrations and of the `schema_*.sql` files.

Instants are integer microseconds (`*_us`), JSON is text, truth values are 0 and 1. There are no foreign
keys: on the hot path they cost a lookup and a lock for what the store's own writes already guarantee.
"""

from sqlalchemy import Column, Double, Index, LargeBinary, Table, text

from ao.store.sql import (  # noqa: F401 - their tables belong here
    schema_assistants,
    schema_gates,
    schema_processes,
    schema_schedules,
    schema_sessions,
    schema_steps,
)
from ao.store.sql.columns import int_column as _int
from ao.store.sql.columns import metadata as metadata  # noqa: PLC0414 - for those that read the schema
from ao.store.sql.columns import small_column as _small
from ao.store.sql.columns import text_column as _text

meta = Table("meta", metadata, _text("key", key=True), _text("value"))

# --- runs ------------------------------------------------------------------------------------------

run = Table(
    "run",
    metadata,
    _text("run_id", key=True),
    _text("agent"),
    _text("environment"),
    _text("input", null=True),
    _text("input_blob", null=True),
    _text("actor"),
    _int("created_us"),
    _small("priority"),
    _text("pinned_deployment_id", null=True),
    _text("schedule_id", null=True),
    _int("tick_us", null=True),
    _text("lineage"),
    _text("fork_of", null=True),
    _text("fork_step", null=True),
    _text("concurrency_key", null=True),
    _text("assistant", null=True),
    _int("assistant_version", null=True),
    _text("session", null=True),
    Index("run_agent", "agent", "run_id"),
    comment="Immutable: what was asked for.",
)
_NOT_THE_AGENTS_OWN = text("assistant IS NOT NULL")
Index(
    "run_assistant",
    run.c.assistant,
    run.c.run_id,
    sqlite_where=_NOT_THE_AGENTS_OWN,
    postgresql_where=_NOT_THE_AGENTS_OWN,
)
_OF_SESSION = text("session IS NOT NULL")
Index(
    "run_session",
    run.c.agent,
    run.c.session,
    run.c.run_id,
    sqlite_where=_OF_SESSION,
    postgresql_where=_OF_SESSION,
)

run_head = Table(
    "run_head",
    metadata,
    _text("run_id", key=True),
    _text("state"),
    _int("fence"),
    _int("next_seq"),
    _small("attempt"),
    _small("failures"),
    _small("losses"),
    _small("cancel_requested"),
    _int("active_us"),
    _int("attempt_started_us", null=True),
    _int("started_us", null=True),
    _int("finished_us", null=True),
    _int("due_us", null=True),
    _text("worker_id", null=True),
    _text("deployment_id", null=True),
    _small("webhook", null=True),
    _small("gated", null=True),
    _int("session_base", null=True),
    _text("placement", null=True),
    sqlite_with_rowid=False,
    comment="The mutable part of a run; every change is guarded by state and fence.",
)
_OPEN = text("state <> 'completed'")
Index("run_head_state", run_head.c.state, run_head.c.run_id, sqlite_where=_OPEN, postgresql_where=_OPEN)

run_ready = Table(
    "run_ready",
    metadata,
    _int("rank", key=True),
    _text("flow", key=True, default=""),
    _text("run_id", key=True),
    sqlite_with_rowid=False,
    comment="Only what can be claimed now; rank is -priority. The flows of a rank (agents, or concurrency "
    "keys of them) take turns; the key has the order in each.",
)

run_placed = Table(
    "run_placed",
    metadata,
    _text("placement", key=True),
    _int("rank", key=True),
    _text("flow", key=True),
    _text("run_id", key=True),
    _text("agent"),
    _int("since_us"),
    Index("run_placed_agent", "agent", "run_id"),
    sqlite_with_rowid=False,
    comment="As run_ready, of runs that not every worker may take: a worker looks at the placements that "
    "it can serve, however many runs of others wait.",
)

run_delayed = Table(
    "run_delayed",
    metadata,
    _int("due_us", key=True),
    _text("run_id", key=True),
    _int("rank"),
    sqlite_with_rowid=False,
)

run_blocked = Table(
    "run_blocked",
    metadata,
    _text("run_id", key=True),
    _int("rank"),
    sqlite_with_rowid=False,
    comment="Pending runs that have no deployment to run on; promoted when a pointer moves.",
)

run_outcome = Table(
    "run_outcome",
    metadata,
    _text("run_id", key=True),
    _text("output", null=True),
    _text("output_blob", null=True),
    _text("error", null=True),
    comment="The result, or the last attempt's error as JSON.",
)

run_attempt = Table(
    "run_attempt",
    metadata,
    _text("run_id", key=True),
    _int("number", key=True),
    _int("fence"),
    _text("worker_id"),
    _text("sandbox"),
    _int("started_us"),
    _int("finished_us", null=True),
    _text("kind", null=True),
    _text("error", null=True),
    _small("exit_code", null=True),
    _int("max_rss_bytes", null=True),
    Column("cpu_seconds", Double),
    _int("due_us", null=True),
    sqlite_with_rowid=False,
)

run_event = Table(
    "run_event",
    metadata,
    _text("run_id", key=True),
    _int("seq", key=True),
    _text("kind"),
    _int("at_us"),
    _text("data"),
    # With a rowid on SQLite: chunks of output are large for a tree by key; measured, a run ends a third faster.
)

run_tally = Table(
    "run_tally",
    metadata,
    _int("hour_us", key=True),
    _text("agent", key=True),
    _int("version", key=True),
    _text("state", key=True),
    _int("bucket", key=True),
    _int("shard", key=True),
    _int("runs"),
    sqlite_with_rowid=False,
    comment="Runs that ended, counted in the write that ends them. Bucket: the duration; shard: writers of "
    "one agent would otherwise wait for each other's commits.",
)

idempotency = Table(
    "idempotency",
    metadata,
    _text("agent", key=True),
    _text("key", key=True),
    _text("run_id"),
    _text("request_hash"),
    sqlite_with_rowid=False,
)

worker = Table(
    "worker",
    metadata,
    _text("worker_id", key=True),
    _text("name"),
    _small("slots"),
    _text("sandbox"),
    _int("started_us"),
    _int("heartbeat_us"),
    _int("lease_until_us"),
    _text("labels", default="{}"),
    _int("memory", default=0),
    _int("cpu", default=0),
    _small("gpu", default=0),
    _small("busy", default=0),
    _small("draining", default=0),
    _text("version", default=""),
    _text("hold", default=""),
    comment="One row per live worker. No index on its times: a heartbeat must stay cheap.",
)

# --- agents and deployments ------------------------------------------------------------------------

agent = Table("agent", metadata, _text("name", key=True), _int("created_us"), _int("latest"))

deployment = Table(
    "deployment",
    metadata,
    _text("deployment_id", key=True),
    _text("agent"),
    _int("version"),
    _text("status"),
    _text("actor"),
    _text("message"),
    _text("source_digest"),
    _int("created_us"),
    _int("finished_us", null=True),
    _int("log_seq"),
    _text("error", null=True),
    _text("digest", null=True),
    _text("config", null=True),
    _text("env_key", null=True),
    _text("lock_digest", null=True),
    _text("requirements_hash", null=True),
    _text("parts", null=True),
    _text("recipe", null=True),
    _int("build_lease_us", null=True),
    Index("deployment_version", "agent", "version", unique=True),
)

deployment_log = Table(
    "deployment_log",
    metadata,
    _text("deployment_id", key=True),
    _int("seq", key=True),
    _int("at_us"),
    _text("text"),
    sqlite_with_rowid=False,
)

pointer = Table(
    "pointer",
    metadata,
    _text("agent", key=True),
    _text("environment", key=True),
    _text("pointer", key=True),
    _text("deployment_id"),
    _int("version"),
    sqlite_with_rowid=False,
)

pointer_log = Table(
    "pointer_log",
    metadata,
    _text("agent", key=True),
    _int("seq", key=True),
    _text("environment"),
    _text("pointer"),
    _int("from_version", null=True),
    _int("to_version"),
    _text("reason"),
    _text("actor"),
    _int("at_us"),
    sqlite_with_rowid=False,
)

# --- secrets, keys ----------------------------------------------------------------------

secret = Table(
    "secret",
    metadata,
    _text("agent", key=True),
    _text("name", key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    _int("version"),
    _int("updated_us"),
    _text("actor"),
)

api_key = Table(
    "api_key",
    metadata,
    _text("key_id", key=True),
    _text("name"),
    _text("role"),
    _text("key_hash"),
    _int("created_us"),
    _int("revoked_us", null=True),
    _text("agents", null=True),
    _int("expires_us", null=True),
    _int("last_used_us", null=True),
    _text("actor", null=True),
    Index("api_key_hash", "key_hash", unique=True),
)

login = Table(
    "login",
    metadata,
    _text("token_hash", key=True),
    _text("kind"),
    _text("key_id"),
    _int("until_us"),
    sqlite_with_rowid=False,
    comment="Of the dashboard: links that log in once, and sessions. Only hashes of the tokens are kept.",
)

audit = Table(
    "audit",
    metadata,
    _text("audit_id", key=True),
    _int("at_us"),
    _text("actor"),
    _text("action"),
    _text("target"),
    _text("agent"),
    _text("details"),
    _text("source"),
    _text("request_id"),
    _text("key_id"),
    Index("audit_agent", "agent", "audit_id"),
    Index("audit_target", "target", "audit_id"),
    sqlite_with_rowid=False,
    comment="Append-only: who changed what, when, from where; written in the transaction of the change.",
)

# --- webhooks --------------------------------------------------------------------------------------

run_webhook = Table(
    "run_webhook",
    metadata,
    _text("run_id", key=True),
    _text("url"),
    _text("secret"),
    sqlite_with_rowid=False,
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    _text("delivery_id", key=True),
    _text("run_id"),
    _text("agent"),
    _text("url"),
    _text("secret"),
    _text("state"),
    _int("created_us"),
    _int("due_us", null=True),
    _small("tries"),
    _int("finished_us", null=True),
    Index("webhook_delivery_run", "run_id"),
    sqlite_with_rowid=False,
    comment="The outbox: written with the terminal transition of a run that has a webhook.",
)
_PENDING = text("state = 'pending'")
Index("webhook_delivery_due", webhook_delivery.c.due_us, sqlite_where=_PENDING, postgresql_where=_PENDING)

webhook_try = Table(
    "webhook_try",
    metadata,
    _text("delivery_id", key=True),
    _int("at_us", key=True),
    _small("number"),
    _int("duration_us"),
    _small("status", null=True),
    _text("error", null=True),
    sqlite_with_rowid=False,
)
