"""A real PgBouncer in transaction mode for tests, in front of a private Postgres: on a Unix socket, gone at the
end.

It comes from the system's packages. Its pool is small, so that clients get each other's connections.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from ao.domain.errors import Unavailable
from ao.testing.processes import die_with_parent, identity, other_user

_START_SECONDS = 60.0
_PORT = 6432
"""Of the socket's name only."""

_CONFIG = """
[databases]
* = host={server} user={user}
[pgbouncer]
unix_socket_dir = {directory}
listen_addr =
listen_port = {port}
auth_type = any
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 500
server_reset_query_always = 0
logfile =
pidfile =
"""


def find_binary() -> Path | None:
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    return Path(found) if found else None


class PgBouncer:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def url(self, database_url: str) -> str:
        """Of the same database, through the pool."""
        parts = urlsplit(database_url)
        return f"postgresql://{parts.username}@{parts.path}?host={self._directory}&port={_PORT}"


@contextmanager
def running(database_url: str, pool: int = 4) -> Iterator[PgBouncer]:
    """In front of the server of `database_url`. Raises `Unavailable` when there is no binary."""
    binary = find_binary()
    if binary is None:
        raise Unavailable("no PgBouncer found", hint="Install pgbouncer.")
    parts = urlsplit(database_url)
    (server,) = parse_qs(parts.query)["host"]
    with tempfile.TemporaryDirectory(prefix="ao-pgb-") as name:
        directory = Path(name)
        config, log = directory / "pgbouncer.ini", directory / "pgbouncer.log"
        values = {"server": server, "user": parts.username, "directory": name, "port": _PORT, "pool": pool}
        config.write_text(_CONFIG.format(**values))
        user = other_user(directory)
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [str(binary), str(config)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (one C call)
                **identity(user),
            )
        try:
            bouncer = PgBouncer(directory)
            _await_ready(bouncer.url(database_url), process, log)
            yield bouncer
        finally:
            process.kill()
            process.wait(_START_SECONDS)


def _await_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"PgBouncer did not start: {log.read_text()[-2000:]}") from error
            time.sleep(0.02)
        else:
            return
