"""What a fleet shares: a real Postgres and a real Redis, each on a host of its own."""

import contextlib
import os
import pwd
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.chaos.fleet.network import Host, die_with_parent
from tests.platform import children_of

from ao.testing import postgres
from ao.testing import redis as redis_testing

DATABASE = "ao"
USER = "ao"
START_SECONDS = 60.0
_SETTINGS = """
listen_addresses = '*'
max_connections = 200
log_statement = none
logging_collector = off
"""
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'ao'"


def why_not() -> str:
    if postgres.find_binaries(system_only=True) is None or "postgres" not in {
        u.pw_name for u in pwd.getpwall()
    }:
        return "no Postgres of the system: install postgresql"
    if redis_testing.find_binary(system_only=True) is None:
        return "no Redis of the system: install redis-server"
    return ""


class Postgres:
    """Its commits are on the disk, as they would be in earnest."""

    def __init__(self, host: Host, root: Path) -> None:
        binaries = postgres.find_binaries(system_only=True)
        assert binaries is not None
        self.host = host
        self._pg_ctl = str(binaries / "pg_ctl")
        self._root = root
        self._data = root / "data"
        root.mkdir(mode=0o755)
        shutil.chown(root, "postgres", "postgres")
        initdb = (str(binaries / "initdb"), "-D", str(self._data), "-U", USER, "-A", "trust")
        self._as_postgres(*initdb, "-E", "UTF8", "--locale=C")
        with (self._data / "postgresql.conf").open("a") as config:
            config.write(f"{_SETTINGS}unix_socket_directories = '{root}'\n")
        with (self._data / "pg_hba.conf").open("a") as access:
            access.write(f"host all all {host.address}/24 trust\n")
        self.start()
        with psycopg.connect(self._local("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())

    def url(self, address: str = "", port: int = 5432) -> str:
        return f"postgresql://{USER}@{address or self.host.address}:{port}/{DATABASE}"

    def look(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of the test's own, past the network."""
        return psycopg.connect(self._local(DATABASE), autocommit=True, connect_timeout=2)

    def start(self, *, wait: bool = True) -> None:
        how = ("start", "-w" if wait else "-W", "-t", f"{START_SECONDS:.0f}")
        self._as_postgres(self._pg_ctl, *how, "-D", str(self._data), "-l", str(self._root / "server.log"))

    def crash(self) -> None:
        """As if its machine had lost power: nothing is said to anybody, nothing is finished."""
        self._as_postgres(self._pg_ctl, "stop", "-m", "immediate", "-w", "-D", str(self._data))

    def crash_in_recovery(self, rng: random.Random) -> None:
        self.crash()
        self.start(wait=False)
        time.sleep(rng.uniform(0.02, 0.2))
        self.crash()

    def terminate_backends(self, rng: random.Random, share: float) -> int:
        """End some connections of AO from the server's side; how many."""
        with self.look() as connection:
            rows = connection.execute(_BACKENDS).fetchall()
            chosen = [pid for (pid,) in rows if rng.random() < share]
            for pid in chosen:
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return len(chosen)

    def hang(self, seconds: float, rng: random.Random | None = None) -> int:
        """All of its processes stop for a while, connections stay open; with `rng` about half of these
        alone. Returns how many."""
        if rng is None:
            server = int((self._data / "postmaster.pid").read_text().split()[0])
            stopped = [server, *children_of(server)]
        else:
            with self.look() as connection:
                rows = connection.execute(_BACKENDS).fetchall()
            stopped = [int(str(pid)) for (pid,) in rows if rng.random() < 0.5]
        _signal(stopped, signal.SIGSTOP)
        time.sleep(seconds)
        _signal(stopped, signal.SIGCONT)
        return len(stopped)

    def stop(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self._as_postgres(self._pg_ctl, "stop", "-m", "immediate", "-w", "-D", str(self._data))

    def _local(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self._root}&application_name=test"

    def _as_postgres(self, *command: str) -> None:
        become = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--")
        log = self._root / "commands.log"
        with log.open("ab") as out:
            done = subprocess.run(
                self.host.inside(*become, *command), stdout=out, stderr=out, cwd="/", check=False
            )
        if done.returncode != 0:
            server = self._root / "server.log"
            told = server.read_text()[-2000:] if server.exists() else ""
            raise OSError(f"{' '.join(command)}: {log.read_text()[-2000:]}\n{told}")


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Redis:
    def __init__(self, host: Host, root: Path) -> None:
        self.host = host
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        root.mkdir()
        self.start()

    def url(self, address: str = "", port: int = 6379) -> str:
        return f"redis://{address or self.host.address}:{port}"

    def start(self) -> None:
        binary = redis_testing.find_binary(system_only=True)
        assert binary is not None
        options = ["--bind", self.host.address, "--protected-mode", "no", "--save", "", "--appendonly", "no"]
        with (self._root / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.host.inside(str(binary), *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._root,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (one C call)
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise OSError(f"Redis did not start: {(self._root / 'server.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def flush(self) -> None:
        with self._client() as client:
            client.flushall()
            client.client_kill_filter(_type="pubsub")

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _client(self) -> redis.Redis:
        return redis.Redis(self.host.address, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
