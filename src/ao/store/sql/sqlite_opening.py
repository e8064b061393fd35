"""Opening an SQLite file: inspected without touching it, backed up before an upgrade, made when absent."""

import asyncio
import shlex
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from ao.domain.errors import AoError, DatabaseDamaged
from ao.store.sql import migrate
from ao.store.sql.dialect import SqliteDialect
from ao.store.sql.engine import ClockOffset
from ao.store.sql.migrate import Found, Plan
from ao.store.sql.sqlite import SqliteEngine
from ao.store.sql.sqlite_connection import connect
from ao.store.sql.store import SqlStore

_MAGIC = b"SQLite format 3\0"
_THOROUGH_BYTES = 64 << 20
"""Up to this size every page is checked at opening (about 1 s per GiB); of a bigger file only the header,
its length and the schema, because a restart must not take minutes. SQLite itself reports damage it meets."""


async def open_sqlite(path: Path, offset: ClockOffset) -> SqlStore:
    connection = await asyncio.to_thread(_open, path)
    return SqlStore(SqliteEngine(path, connection, offset))


def make_current(path: Path) -> None:
    """Make the file, or upgrade it; raises as opening does."""
    _open(path).close()


def plan(path: Path) -> Plan:
    """What opening the file would upgrade; changes nothing."""
    from ao.store.sql import revisions  # noqa: PLC0415  (only for who asks)

    if not path.exists() or not path.stat().st_size:
        return Plan(None)
    inspect(path)
    with closing(connect(path, read_only=True)) as connection:
        return revisions.plan(read_versions(connection))


def _open(path: Path) -> sqlite3.Connection:
    dialect = SqliteDialect(path)
    try:
        if path.exists() and path.stat().st_size:
            inspect(path)
        connection = connect(path)
        try:
            _make_current(connection, path, dialect)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise dialect.error(error) from error
    return connection


def _make_current(connection: sqlite3.Connection, path: Path, dialect: SqliteDialect) -> None:
    found = read_versions(connection)
    if found is None:
        connection.execute(dialect.BEGIN)
        for statement in migrate.fresh_statements(dialect.DDL):
            connection.execute(statement)
        connection.execute("COMMIT")
        return
    found.refuse_newer(str(path))
    if found.schema < migrate.HEAD:
        back_up(connection, backup_path(path, found.written_by or found.schema))
        _upgrade(connection, dialect, found)


def read_versions(connection: sqlite3.Connection) -> Found | None:
    """What the database says of itself; None when it is empty."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return None
    schema = connection.execute(migrate.READ_VERSION).fetchone()
    return Found.of(schema[0], connection.execute(migrate.READ_META).fetchall()) if schema else None


def backup_path(path: Path, version: str) -> Path:
    return path.with_name(f"{path.name}.backup-{version}")


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """A consistent copy, complete or absent."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial)) as copy:
        connection.backup(copy)
    partial.replace(target)


def _upgrade(connection: sqlite3.Connection, dialect: SqliteDialect, found: Found) -> None:
    """Both parts of every migration: a file belongs to one program."""
    from sqlalchemy import StaticPool, create_engine, event  # noqa: PLC0415  (only after an upgrade of AO)

    from ao.store.sql import revisions  # noqa: PLC0415

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql(dialect.BEGIN))
    with engine.begin() as transaction:
        revisions.upgrade(transaction, found)


# --- inspection ------------------------------------------------------------------------------------


def inspect(path: Path) -> None:
    """Raise `DatabaseDamaged` or `SchemaTooNew` while the file and its directory are as they were."""
    wal = path.with_name(path.name + "-wal")
    has_log = wal.exists() and wal.stat().st_size > 0
    with path.open("rb") as file:
        header = file.read(100)
    if header[:16] != _MAGIC or len(header) < 100:
        raise damage(path, "it is not an SQLite database")
    if not has_log:
        _check_length(path, header)
        _check(path, path)
    elif path.stat().st_size <= _THOROUGH_BYTES:
        # After a crash the log belongs to the database: a copy of both can be recovered and checked.
        with tempfile.TemporaryDirectory(prefix="ao-inspect-") as directory:
            copy = Path(directory, path.name)
            shutil.copyfile(path, copy)
            shutil.copyfile(wal, copy.with_name(wal.name))
            _check(path, copy)


def _check_length(path: Path, header: bytes) -> None:
    page = int.from_bytes(header[16:18], "big")
    expected = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    size = path.stat().st_size
    if header[24:28] == header[92:96] and size < expected:
        raise damage(path, f"it has {size} bytes of {expected}")


def _check(path: Path, file: Path) -> None:
    """Check `file`, which is `path` or a copy of it."""
    options = "mode=ro&immutable=1" if file == path else "mode=rw"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?{options}", uri=True)) as connection:
            said = read_versions(connection)
            found = "ok"
            if file.stat().st_size <= _THOROUGH_BYTES:
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        problem = SqliteDialect(path).error(error)
        raise damage(path, str(error)) if isinstance(problem, DatabaseDamaged) else problem from error
    if found != "ok":
        raise damage(path, " ".join(str(found).split()))
    if said is not None:
        said.refuse_newer(str(path))


def damage(path: Path, why: str) -> AoError:
    here, damaged = shlex.quote(str(path)), shlex.quote(f"{path}.damaged")
    # Its log goes with it: SQLite would take it for a log of the restored file.
    files = [suffix for suffix in ("", "-wal", "-shm") if Path(f"{path}{suffix}").exists()]
    aside = " && ".join(
        f"mv {shlex.quote(f'{path}{suffix}')} {shlex.quote(f'{path}.damaged{suffix}')}" for suffix in files
    )
    salvage = f"{aside} && {sys.executable} -m ao.store.sql.salvage {damaged} {here}"
    restore = salvage
    if backups := _backups(path):
        restore = f"{aside} && cp {shlex.quote(str(backups[-1]))} {here}"
    hint = f"Restore it: {restore}" + (f"\nOr save what is readable: {salvage}" if backups else "")
    return DatabaseDamaged(
        f"{path} is damaged: {why}. It was left untouched.",
        hint=hint,
        details={"path": str(path), "restore": restore},
    )


def _backups(path: Path) -> list[Path]:
    """Complete ones, oldest first."""
    found = [file for file in path.parent.glob(f"{path.name}.backup-*") if file.suffix != ".partial"]
    return sorted(found, key=lambda file: file.stat().st_mtime)
