"""Who takes part, how each is set, and what each does and does not do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.drivers.order import NOOP, SUBPROCESS
from benchmarks.peers.drivers.servers import free_port

Environ = Callable[[Path], Mapping[str, str]]
AO = "AO"


@dataclass(frozen=True)
class Contender:
    name: str
    package: str
    """Names its locked environment; empty: this one."""
    driver: str
    variant: str
    settings: str
    """What differs from how it is shipped, and what of that matters."""
    process: str
    """Where the user's code ran for the no-op."""
    isolation: str
    durability: str
    tasks: tuple[str, ...] = (NOOP, SUBPROCESS)
    environ: Environ = field(default=lambda _scratch: {})
    postgres: bool = False
    redis: tuple[str, ...] | None = None
    """Options of the Redis that it gets for a turn."""
    slow: bool = False
    """Seconds for a run: a few runs have to do."""
    once: bool = False
    """Takes part in the first round only, because its server takes so long to start and to stop."""


def _prefect(**more: str) -> Environ:
    def environ(scratch: Path) -> Mapping[str, str]:
        return {
            "PREFECT_HOME": str(scratch / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            **more,
        }

    return environ


_PREFECT_QUIET = {"PREFECT_LOGGING_TO_API_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "WARNING"}
_NO_ISOLATION = "none: all runs share the worker's process, files, network and secrets"
_POOL = "none: runs of a pool's process share it, and all runs files, network and secrets"
_SAME_USER = "a process for each run, with all files, network and secrets of the worker"
_SQLITE_FSYNC = "SQLite with its defaults: rollback journal, fsync at every commit"
_PREFECT_DURABLE = "SQLite WAL, synchronous=NORMAL: a power cut loses the last commits"
_POSTGRES_FSYNC = "Postgres, fsync on"
_PROCRASTINATE = f"{_POSTGRES_FSYNC}; results are not kept"
_RESTATE_FSYNC = "its replicated log, on one node, in RocksDB: fdatasync at every entry or batch of them"
_LANGGRAPH = "none: in memory, written to files every 10 s"

_SANDBOX = "a sandbox for each run: own namespaces, read-only root, no network, limits"
_AO_DURABLE = "SQLite WAL, synchronous=FULL: fdatasync when accepted and claimed, and when ended"

CONTENDERS = (
    Contender(
        AO,
        "",
        "run_ao",
        "shipped",
        "as shipped, but its log at `warning`",
        "a sandboxed process, forked from one that has imported the agent",
        _SANDBOX,
        _AO_DURABLE,
    ),
    Contender(
        "AO, cold",
        "",
        "run_ao",
        "cold",
        "AO_WARM=off, and its log at `warning`",
        "a fresh sandboxed process",
        _SANDBOX,
        _AO_DURABLE,
    ),
    Contender(
        "DBOS queue, as shipped",
        "dbos",
        "run_dbos",
        "queue",
        "SQLite; queue and result are polled every second; one step per workflow",
        "the submitting process",
        _NO_ISOLATION,
        _SQLITE_FSYNC,
        tasks=(NOOP,),
    ),
    Contender(
        "DBOS queue, tuned",
        "dbos",
        "run_dbos",
        "queue-tuned",
        "SQLite; queue and result polled every 10 ms",
        "the submitting process",
        _NO_ISOLATION,
        _SQLITE_FSYNC,
    ),
    Contender(
        "DBOS queue, Postgres",
        "dbos",
        "run_dbos",
        "queue-postgres",
        "Postgres on a Unix socket; queue and result polled every 10 ms",
        "the submitting process",
        _NO_ISOLATION,
        _POSTGRES_FSYNC,
        postgres=True,
    ),
    Contender(
        "DBOS direct",
        "dbos",
        "run_dbos",
        "direct",
        "SQLite; the caller runs the workflow itself, nothing is queued",
        "the submitting process",
        _NO_ISOLATION,
        _SQLITE_FSYNC,
    ),
    Contender(
        "DBOS direct, Postgres",
        "dbos",
        "run_dbos",
        "direct-postgres",
        "Postgres on a Unix socket; the caller runs the workflow itself",
        "the submitting process",
        _NO_ISOLATION,
        _POSTGRES_FSYNC,
        postgres=True,
    ),
    Contender(
        "Temporal, as shipped",
        "temporal",
        "run_temporal",
        "shipped",
        "`temporal server start-dev`; one activity per workflow",
        "the worker process, a thread",
        _NO_ISOLATION,
        "none: in memory, everything is lost with the server",
    ),
    Contender(
        "Temporal, tuned",
        "temporal",
        "run_temporal",
        "tuned",
        "in memory; one task queue partition, eager start, local activity, unsandboxed workflows",
        "the worker process, a thread",
        _NO_ISOLATION,
        "none: in memory, everything is lost with the server",
    ),
    Contender(
        "Temporal, tuned, on disk",
        "temporal",
        "run_temporal",
        "durable",
        "the same with --db-filename, WAL and synchronous=FULL",
        "the worker process, a thread",
        _NO_ISOLATION,
        "SQLite WAL, synchronous=FULL: fsync at every commit",
    ),
    Contender(
        "Prefect serve, as shipped",
        "prefect",
        "run_prefect",
        "serve",
        "runner polls every 10 s, caller every 5 s; results persisted; analytics off",
        "a fresh Python process",
        _SAME_USER,
        _PREFECT_DURABLE,
        tasks=(NOOP,),
        environ=_prefect(),
        slow=True,
        once=True,
    ),
    Contender(
        "Prefect serve, tuned",
        "prefect",
        "run_prefect",
        "serve-tuned",
        "runner polls every second, caller every 0.1 s; logs not sent to the API",
        "a fresh Python process",
        _SAME_USER,
        _PREFECT_DURABLE,
        tasks=(NOOP,),
        environ=_prefect(**_PREFECT_QUIET, PREFECT_RUNNER_POLL_FREQUENCY="1"),
        slow=True,
        once=True,
    ),
    Contender(
        "Prefect direct, as shipped",
        "prefect",
        "run_prefect",
        "direct",
        "a sync flow with one task, called by the submitting process",
        "the submitting process, a thread",
        _NO_ISOLATION,
        _PREFECT_DURABLE,
        environ=_prefect(),
        once=True,
    ),
    Contender(
        "Prefect direct, tuned",
        "prefect",
        "run_prefect",
        "direct-tuned",
        "async flow and task; logs not sent to the API",
        "the submitting process",
        _NO_ISOLATION,
        _PREFECT_DURABLE,
        environ=_prefect(**_PREFECT_QUIET),
        once=True,
    ),
    Contender(
        "Procrastinate, as shipped",
        "procrastinate",
        "run_procrastinate",
        "shipped",
        "LISTEN/NOTIFY, and polls every 5 s; one job at a time, 4 connections; the result goes by memory",
        "the submitting process",
        _NO_ISOLATION,
        f"{_PROCRASTINATE}, and the caller is told before the end is committed",
        postgres=True,
    ),
    Contender(
        "Procrastinate, tuned",
        "procrastinate",
        "run_procrastinate",
        "tuned",
        "the same, but polls every 20 ms; as many jobs at a time as clients, 8 connections",
        "the submitting process",
        _NO_ISOLATION,
        _PROCRASTINATE,
        postgres=True,
    ),
    Contender(
        "Restate, as shipped",
        "restate",
        "run_restate",
        "shipped",
        "one server, 24 partitions; one step; the SDK's client; telemetry off",
        "the process of the service",
        _NO_ISOLATION,
        _RESTATE_FSYNC,
    ),
    Contender(
        "Restate, tuned",
        "restate",
        "run_restate",
        "tuned",
        "the same with 2 partitions, log at `warn`, and the plain HTTP client that AO is loaded with",
        "the process of the service",
        _NO_ISOLATION,
        _RESTATE_FSYNC,
    ),
    Contender(
        "Celery, as shipped",
        "celery",
        "run_celery",
        "shipped",
        "Redis on a Unix socket; a process for each core",
        "a process of the worker's pool, used again and again",
        _POOL,
        "none: a task is gone with the worker that took it; Redis keeps a snapshot at best every minute",
        redis=("--save", "3600", "1", "--save", "300", "100", "--save", "60", "10000"),
    ),
    Contender(
        "Celery, tuned",
        "celery",
        "run_celery",
        "tuned",
        "Redis without snapshots; a thread for each client; no gossip, mingle and heartbeat",
        "the worker process, a thread",
        _NO_ISOLATION,
        "none: a task is gone with the worker that took it, everything with Redis",
        redis=(),
    ),
    Contender(
        "Celery, tuned, on disk",
        "celery",
        "run_celery",
        "disk",
        "the same with acks_late, and Redis with appendonly and appendfsync=always",
        "the worker process, a thread",
        _NO_ISOLATION,
        "Redis AOF, fsync at every write; a task that its worker took is back after an hour",
        redis=("--appendonly", "yes", "--appendfsync", "always"),
    ),
    Contender(
        "LangGraph dev server, as shipped",
        "langgraph",
        "run_langgraph",
        "shipped",
        "`langgraph dev`, one job at a time; stateless runs, one node; an empty queue is polled every 0.5 s",
        "the process of the server",
        _NO_ISOLATION,
        _LANGGRAPH,
    ),
    Contender(
        "LangGraph dev server, tuned",
        "langgraph",
        "run_langgraph",
        "tuned",
        "the same with --no-reload and a job for each client; the 0.5 s are fixed in its source",
        "the process of the server",
        _NO_ISOLATION,
        _LANGGRAPH,
    ),
)
