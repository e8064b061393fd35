"""What SQLite alone promises: an untouched damaged file, backups, full disks, durability, one writer."""

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.databases import install, missing
from tests.migrations import NEXT, add_migration

from ao import __version__
from ao.domain.errors import AoError, DatabaseDamaged, SchemaTooNew, StorageFull, Unavailable
from ao.ids import new_run_id
from ao.store import Store
from ao.store.records import NewRun, Payload, RunFilter
from ao.store.sql import migrate, open_sqlite
from ao.store.sql.sqlite import SqliteEngine
from ao.store.sql.store import SqlStore

ACKNOWLEDGE = Path(__file__).with_name("acknowledge.py")

NOW = migrate.HEAD


def new_run(size: int = 10) -> NewRun:
    return NewRun(new_run_id(), "support", "prod", Payload("x" * size), "key:dev")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


async def filled(path: Path, runs: int = 200) -> None:
    store = await open_sqlite(path)
    await asyncio.gather(*(store.runs.create(new_run(200)) for _ in range(runs)))
    await store.close()


async def opened_error(path: Path) -> AoError:
    with pytest.raises(AoError) as caught:
        await (await open_sqlite(path)).close()
    return caught.value


async def output_of(command: list[str]) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


class TestOpening:
    async def test_a_fresh_database_is_current_and_private_to_its_writer(self, tmp_path: Path) -> None:
        store = await open_sqlite(tmp_path / "ao.db")
        await store.check()
        await store.close()
        assert list(contents(tmp_path)) == ["ao.db"]
        with closing(sqlite3.connect(tmp_path / "ao.db")) as connection:
            assert connection.execute(migrate.READ_VERSION).fetchone() == (migrate.HEAD,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    async def test_opening_needs_neither_sqlalchemy_nor_alembic(self, tmp_path: Path) -> None:
        code = (
            "import asyncio, pathlib, sys; from ao.store.sql import open_sqlite\n"
            "async def main(): await (await open_sqlite(pathlib.Path(sys.argv[1]))).close()\n"
            "asyncio.run(main()); asyncio.run(main())\n"
            "print(sorted({'sqlalchemy', 'alembic', 'psycopg'} & set(sys.modules)))"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "ao.db")]
        assert (await output_of(command)).strip() == "[]"

    async def test_a_path_that_cannot_be_used_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "ao.db").mkdir()
        for path in (tmp_path / "ao.db", tmp_path / "none" / "ao.db"):
            error = await opened_error(path)
            assert isinstance(error, Unavailable)
            assert str(path) in error.message

    async def test_a_newer_schema_is_refused_with_both_versions(self, tmp_path: Path) -> None:
        path = tmp_path / "ao.db"
        await filled(path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.execute("UPDATE meta SET value = '7.1.0' WHERE key = 'ao_version'")
            connection.execute("UPDATE meta SET value = '9998' WHERE key = 'min_reader'")
        before = contents(tmp_path)
        error = await opened_error(path)
        assert isinstance(error, SchemaTooNew)
        for part in ("9999", "9998", "7.1.0", migrate.HEAD):
            assert part in error.message
        assert contents(tmp_path) == before

    async def test_a_newer_schema_that_says_so_is_used_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "ao.db"
        await filled(path, runs=1)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        store = await open_sqlite(path)
        assert len(await store.runs.list(RunFilter(), 10)) == 1
        await store.close()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute(migrate.READ_VERSION).fetchone() == ("9999",)

    async def test_an_older_schema_is_backed_up_and_upgraded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "ao.db"
        await filled(path, runs=5)
        add_migration(tmp_path, monkeypatch, "op.execute('CREATE TABLE added (x INTEGER)')")
        store = await open_sqlite(path)
        assert len(await store.runs.list(RunFilter(), 10)) == 5
        await store.close()
        backup = path.with_name(f"ao.db.backup-{__version__}")
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT COUNT(*) FROM added").fetchone() == (0,)
            assert connection.execute(migrate.READ_VERSION).fetchone() == (NEXT,)
        with closing(sqlite3.connect(backup)) as connection:
            assert connection.execute(migrate.READ_VERSION).fetchone() == (NOW,)
            assert connection.execute("SELECT COUNT(*) FROM run").fetchone() == (5,)

    async def test_a_migration_that_fails_changes_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "ao.db"
        await filled(path, runs=5)
        add_migration(
            tmp_path, monkeypatch, "op.execute('CREATE TABLE added (x INTEGER)'); raise RuntimeError('no')"
        )
        with pytest.raises(RuntimeError):
            await open_sqlite(path)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute(migrate.READ_VERSION).fetchone() == (NOW,)
            assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'added'").fetchall()


class TestDamage:
    @pytest.mark.parametrize("how", ["text", "short", "pages", "cut", "schema"])
    async def test_a_damaged_file_is_named_and_left_untouched(self, tmp_path: Path, how: str) -> None:
        path = tmp_path / "ao.db"
        await filled(path)
        self._damage(path, how)
        before = contents(tmp_path)
        error = await opened_error(path)
        assert isinstance(error, DatabaseDamaged)
        assert str(path) in error.message
        assert "ao.store.sql.salvage" in error.hint
        assert contents(tmp_path) == before

    def _damage(self, path: Path, how: str) -> None:
        data = path.read_bytes()
        middle = len(data) // 2
        path.write_bytes(
            {
                "text": b"not a database at all\n" * 500,
                "short": data[:50],
                "pages": data[: 8 * 4096] + os.urandom(len(data) - 8 * 4096),
                "cut": data[:middle],
                "schema": data[:100] + b"\xff" * 4000 + data[4100:],
            }[how]
        )

    async def test_the_newest_backup_is_in_the_restore_command(self, tmp_path: Path) -> None:
        path = tmp_path / "ao.db"
        for number, name in enumerate(("ao.db.backup-0.0.9", "ao.db.backup-0.0.1")):
            (tmp_path / name).write_bytes(b"")
            os.utime(tmp_path / name, (number, number))
        path.write_bytes(b"junk" * 1000)
        error = await opened_error(path)
        assert f"cp {tmp_path}/ao.db.backup-0.0.1 {path}" in error.hint

    async def test_the_printed_command_recovers_what_is_readable(self, tmp_path: Path) -> None:
        path = tmp_path / "ao.db"
        await filled(path)
        with path.open("r+b") as file:
            file.seek(-4096, os.SEEK_END)
            file.write(os.urandom(4096))
        error = await opened_error(path)
        await output_of(["sh", "-c", str(error.details["restore"])])
        store = await open_sqlite(path)
        assert len(await store.runs.list(RunFilter(), 1000)) > 100
        await store.close()

    async def test_losing_the_first_page_loses_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "ao.db"
        store = await open_sqlite(path)
        before = {(await store.runs.create(new_run())).run_id for _ in range(20)}
        await store.close()
        overwrite_first_page(path)
        error = await opened_error(path)
        await output_of(["sh", "-c", str(error.details["restore"])])
        store = await open_sqlite(path)
        assert {run.id for run in await store.runs.list(RunFilter(), 100)} == before
        await store.close()

    async def test_the_log_of_a_damaged_file_is_moved_and_recovered_with_it(self, tmp_path: Path) -> None:
        """Left behind, it would be taken for the log of the restored file."""
        store = await open_sqlite(tmp_path / "ao.db")
        for _ in range(20):
            await store.runs.create(new_run())
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for name in ("ao.db", "ao.db-wal"):
            shutil.copyfile(tmp_path / name, crashed / name)
        await store.close()
        overwrite_first_page(crashed / "ao.db")
        error = await opened_error(crashed / "ao.db")
        await output_of(["sh", "-c", str(error.details["restore"])])
        assert (crashed / "ao.db.damaged-wal").exists()
        assert not (crashed / "ao.db-wal").exists()
        survivor = await open_sqlite(crashed / "ao.db")
        assert len(await survivor.runs.list(RunFilter(), 100)) == 20
        await survivor.close()

    async def test_a_log_left_by_a_crash_is_no_damage(self, tmp_path: Path) -> None:
        path = tmp_path / "ao.db"
        store = await open_sqlite(path)
        for _ in range(20):
            await store.runs.create(new_run())
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for name in ("ao.db", "ao.db-wal"):
            shutil.copyfile(tmp_path / name, crashed / name)
        await store.close()
        assert (crashed / "ao.db-wal").stat().st_size > 0
        survivor = await open_sqlite(crashed / "ao.db")
        assert len(await survivor.runs.list(RunFilter(), 100)) == 20
        await survivor.close()

    async def test_a_damaged_file_beside_a_log_is_left_untouched(self, tmp_path: Path) -> None:
        path = tmp_path / "ao.db"
        await filled(path)
        (tmp_path / "ao.db-wal").write_bytes(os.urandom(5000))
        data = path.read_bytes()
        path.write_bytes(data[: 8 * 4096] + os.urandom(len(data) - 8 * 4096))
        before = contents(tmp_path)
        assert isinstance(await opened_error(path), DatabaseDamaged)
        assert contents(tmp_path) == before


def overwrite_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(4096))


async def fill_up(store: Store) -> list[str]:
    """Create runs until the store says that it is full; returns those that were accepted."""
    accepted: list[str] = []
    while True:
        try:
            accepted.append((await store.runs.create(new_run(60_000))).run_id)
        except StorageFull:
            return accepted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB; mounting one takes root."""
    target = tmp_path / "small"
    target.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small file system needs root: {done.stderr.strip()}")
    try:
        yield target
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True)


class TestFullDisk:
    async def test_nothing_accepted_is_lost_and_writes_go_on_with_space(self, small_disk: Path) -> None:
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"x" * (3 << 20))
        store = await open_sqlite(small_disk / "ao.db")
        accepted = await fill_up(store)
        assert len(await store.runs.list(RunFilter(), 1)) == 1  # reading needs no space
        ballast.unlink()
        accepted.append((await store.runs.create(new_run(60_000))).run_id)
        await store.close()
        store = await open_sqlite(small_disk / "ao.db")
        runs = await store.runs.list(RunFilter(), 10_000)
        assert {run.id for run in runs} == set(accepted)
        await store.close()

    async def test_a_full_disk_at_the_start_is_said_so(self, small_disk: Path) -> None:
        with pytest.raises(OSError, match="No space"):
            (small_disk / "ballast").write_bytes(b"x" * (9 << 20))
        assert isinstance(await opened_error(small_disk / "ao.db"), StorageFull)

    async def test_a_batch_that_meets_the_limit_is_refused_and_the_writer_lives(self, tmp_path: Path) -> None:
        store = await open_sqlite(tmp_path / "ao.db")
        assert isinstance(store, SqlStore)
        assert isinstance(store.engine, SqliteEngine)
        connection = store.engine._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 40}")
        runs = [new_run(30_000) for _ in range(50)]
        answers = await asyncio.gather(*(store.runs.create(run) for run in runs), return_exceptions=True)
        accepted = {answer.run_id for answer in answers if not isinstance(answer, BaseException)}
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert refused
        assert {type(error) for error in refused} == {StorageFull}
        assert {run.id for run in await store.runs.list(RunFilter(), 100)} == accepted
        connection.execute("PRAGMA max_page_count = 1000000")
        await store.runs.create(new_run(30_000))
        await store.close()


class TestDurability:
    def test_a_commit_is_synced_before_it_is_acknowledged(self, tmp_path: Path) -> None:
        if shutil.which("strace") is None:
            install("strace")
        if shutil.which("strace") is None:
            missing("strace is not installed")
        trace = tmp_path / "trace"
        command = ["strace", "-f", "-qq", "-e", "trace=fdatasync,fsync,write", "-o", str(trace)]
        command += [sys.executable, str(ACKNOWLEDGE), str(tmp_path / "ao.db"), "5", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "Operation not permitted" in done.stderr:
            missing(f"strace may not trace here: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        acknowledged = synced = 0
        for line in trace.read_text().splitlines():
            if re.search(r"sync(\(| resumed>).*= 0", line):
                synced += 1
            elif "write(1, " in line:
                acknowledged += 1
                assert synced > 0, f"not synced before: {line}"
                synced = 0
        assert acknowledged == 5

    @pytest.mark.parametrize("acknowledgements", [1, 40, 400])
    def test_what_was_acknowledged_survives_kill_9(self, tmp_path: Path, acknowledgements: int) -> None:
        path = tmp_path / "ao.db"
        command = [sys.executable, str(ACKNOWLEDGE), str(path), "1000000", "16"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            seen = [process.stdout.readline().strip() for _ in range(acknowledgements)]
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split("\n")[:-1]  # the last line may be cut
        acknowledged = set(seen + rest)

        async def stored() -> set[str]:
            store = await open_sqlite(path)
            found = {run.id for run in await store.runs.list(RunFilter(), 1_000_000)}
            await store.close()
            return {str(run_id) for run_id in found}

        found = asyncio.run(stored())
        assert len(acknowledged) >= acknowledgements
        assert acknowledged <= found
