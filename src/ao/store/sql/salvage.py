"""Saves what is readable of a damaged SQLite database into a new one.

`python -m ao.store.sql.salvage <damaged> <new>`; the damaged file is only read. It exists because the
`.recover` of the `sqlite3` shell is not compiled in everywhere (not on Debian 12, for one).
"""

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from ao.store.sql import migrate
from ao.store.sql.dialect import SqliteDialect
from ao.store.sql.engine import Row
from ao.store.sql.run_sql import FLOW

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"

_REPAIRS = (
    # Runs whose request is lost cannot be executed or shown.
    "DELETE FROM run_head WHERE run_id NOT IN (SELECT run_id FROM run)",
    "DELETE FROM run_ready WHERE run_id NOT IN (SELECT run_id FROM run_head WHERE state = 'pending')",
    "DELETE FROM run_placed WHERE run_id NOT IN (SELECT run_id FROM run_head WHERE state = 'pending')",
    "DELETE FROM run_delayed WHERE run_id NOT IN (SELECT run_id FROM run_head WHERE state = 'pending')",
    # Sessions that lost what they are, and runs that hold one though they have ended or are lost.
    "DELETE FROM session WHERE NOT EXISTS (SELECT 1 FROM session_version v WHERE v.agent = session.agent "
    "AND v.session_id = session.session_id)",
    "DELETE FROM session_run WHERE run_id NOT IN (SELECT run_id FROM run_head "
    "WHERE state NOT IN ('completed', 'failed', 'cancelled'))",
    # Those that wait at a gate, or have lost their place there, come to it again.
    "DELETE FROM run_gate WHERE run_id NOT IN (SELECT run_id FROM run_head "
    "WHERE state IN ('pending', 'running', 'paused'))",
    "UPDATE run_gate SET state = 'idle' WHERE state = 'waiting'",
    "UPDATE run_head SET due_us = 0 WHERE state = 'pending' AND run_id IN (SELECT run_id FROM run_gate) "
    "AND run_id NOT IN (SELECT run_id FROM run_ready UNION SELECT run_id FROM run_placed "
    "UNION SELECT run_id FROM run_delayed "
    "UNION SELECT run_id FROM run_blocked)",
    "INSERT OR IGNORE INTO run_delayed (due_us, run_id, rank) SELECT 0, r.run_id, -r.priority FROM run r "
    "JOIN run_head h ON h.run_id = r.run_id WHERE h.state = 'pending' AND h.due_us = 0",
    # Other pending runs that lost their place in a queue get one.
    f"INSERT INTO run_ready (rank, flow, run_id) SELECT -r.priority, {FLOW}, r.run_id FROM run r "
    "JOIN run_head h ON h.run_id = r.run_id WHERE h.state = 'pending' "
    "AND r.run_id NOT IN (SELECT run_id FROM run_ready UNION SELECT run_id FROM run_placed "
    "UNION SELECT run_id FROM run_delayed "
    "UNION SELECT run_id FROM run_blocked)",
    # Running ones whose worker is lost are swept, because its lease has ended.
    "INSERT OR IGNORE INTO worker (worker_id, name, slots, sandbox, started_us, heartbeat_us, lease_until_us) "
    "SELECT DISTINCT worker_id, 'lost', 0, '', 0, 0, 0 FROM run_head "
    "WHERE state = 'running' AND worker_id IS NOT NULL",
)


def salvage(damaged: Path, new: Path) -> dict[str, int]:
    """Copy rows, table by table; returns how many of each. `new` must not exist."""
    counts = {}
    with new.open("xb"), closing(sqlite3.connect(new, isolation_level=None)) as target:
        target.execute("BEGIN")
        for statement in migrate.fresh_statements(SqliteDialect.DDL):
            target.execute(statement)
        target.execute("COMMIT")
        target.execute("BEGIN")
        with tempfile.TemporaryDirectory(prefix="ao-salvage-", dir=new.parent) as directory:
            copy = _readable_copy(damaged, Path(directory, "copy"), new.read_bytes())
            with closing(sqlite3.connect(copy)) as source:
                for (table,) in target.execute(_TABLES).fetchall():
                    counts[table] = _copy(source, target, table)
        for statement in _REPAIRS:
            target.execute(statement)
        target.execute("COMMIT")
    return counts


def _readable_copy(damaged: Path, copy: Path, fresh: bytes) -> Path:
    """The file with its log, which belongs to it after a crash. The list of tables, with which the file
    begins, is the one of a fresh database when it is lost: both were made by the same statements."""
    shutil.copyfile(damaged, copy)
    log = damaged.with_name(damaged.name + "-wal")
    if log.exists():
        shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
    if not _has_tables(copy):
        page = int.from_bytes(fresh[16:18], "big")
        first = bytearray(fresh[:page])
        first[28:32] = (damaged.stat().st_size // page).to_bytes(4, "big")
        first[32:40] = bytes(8)  # no list of free pages
        with copy.open("r+b") as file:
            file.write(first)
    return copy


def _has_tables(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(file)) as connection:
            return bool(connection.execute(_TABLES).fetchall())
    except sqlite3.DatabaseError:
        return False


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    keys = [row[1] for row in target.execute(f"PRAGMA table_info({table})") if row[5]]
    before = target.total_changes
    for direction in ("", " DESC"):  # from both ends up to the damage
        order = ", ".join(key + direction for key in keys)
        for row in _rows(source, f"SELECT * FROM {table} NOT INDEXED ORDER BY {order}"):
            marks = ", ".join("?" * len(row))
            target.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)
    return target.total_changes - before


def _rows(source: sqlite3.Connection, query: str) -> Iterator[Row]:
    with suppress(sqlite3.DatabaseError):  # it is damaged: what comes before the error is what there is
        yield from source.execute(query)


if __name__ == "__main__":
    for name, count in salvage(Path(sys.argv[1]), Path(sys.argv[2])).items():
        sys.stdout.write(f"{count:>9} {name}\n")
    sys.stdout.write(f"This is what could be read. {sys.argv[1]} is kept; `ao up` starts with {sys.argv[2]}.\n")
