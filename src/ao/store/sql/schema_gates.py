"""The part of the schema about gates."""

from sqlalchemy import Index, Table, text

from ao.store.sql.columns import int_column as _int
from ao.store.sql.columns import metadata
from ao.store.sql.columns import text_column as _text

gate = Table(
    "gate",
    metadata,
    _text("name", key=True),
    sqlite_with_rowid=False,
    comment="What writes lock before they look at who holds a gate; there while somebody does.",
)

run_gate = Table(
    "run_gate",
    metadata,
    _text("run_id", key=True),
    _text("name", key=True),
    _text("hold"),
    _int("capacity"),
    _int("rank"),
    _text("state"),
    sqlite_with_rowid=False,
    comment="Gates of runs that have not ended: each is idle, waiting or held.",
)
_HELD = text("state = 'held'")
_WAITING = text("state = 'waiting'")
Index("run_gate_held", run_gate.c.name, run_gate.c.run_id, sqlite_where=_HELD, postgresql_where=_HELD)
Index(
    "run_gate_waiting",
    run_gate.c.name,
    run_gate.c.rank,
    run_gate.c.run_id,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
