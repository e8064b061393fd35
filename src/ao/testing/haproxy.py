"""A real load balancer for tests: haproxy in front of servers on loopback."""

import csv
import ctypes
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ao.domain.errors import Unavailable
from ao.testing.ports import free_port

_PR_SET_PDEATHSIG = 1
_START_SECONDS = 10.0
_CONFIG = """
global
  stats socket {stats}
defaults
  mode http
  timeout connect 2s
  timeout check 5s
  timeout client 120s
  timeout server 120s
  option redispatch 1
  retries 3
  retry-on conn-failure
frontend all
  bind 127.0.0.1:{port}
  default_backend servers
backend servers
  balance roundrobin
  option httpchk GET /readyz
  default-server check inter 200ms fall 1 rise 1
{servers}
"""


@dataclass(frozen=True, slots=True)
class Balancer:
    url: str
    stats: Path

    def asks(self, port: int) -> bool:
        """Whether the server on this port gets its turn: the last check found it ready."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.stats))
            asking.sendall(b"show stat\n")
            told = b"".join(iter(lambda: asking.recv(1 << 16), b"")).decode()
        lines = csv.DictReader(told.removeprefix("# ").splitlines())
        return any(line["svname"] == f"s{port}" and line["status"].startswith("UP") for line in lines)


def find_binary() -> Path | None:
    found = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    return Path(found) if found else None


@contextmanager
def balancing(ports: Sequence[int]) -> Iterator[Balancer]:
    """A balancer that asks servers on these ports by turns, as long as they say that they are ready.

    Raises `Unavailable` when there is no haproxy.
    """
    binary = find_binary()
    if binary is None:
        raise Unavailable("no haproxy found", hint="Install haproxy.")
    port = free_port()
    servers = "\n".join(f"  server s{each} 127.0.0.1:{each}" for each in ports)
    with tempfile.TemporaryDirectory(prefix="ao-haproxy-") as directory:
        config, log = Path(directory, "haproxy.cfg"), Path(directory, "log")
        config.write_text(_CONFIG.format(port=port, servers=servers, stats=Path(directory, "stats")))
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [str(binary), "-f", str(config), "-db"],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  (one C call)
            )
        try:
            _await_ready(process, port, log)
            yield Balancer(f"http://127.0.0.1:{port}", Path(directory, "stats"))
        finally:
            process.kill()
            process.wait()


def _await_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"haproxy did not start: {log.read_text()[-2000:]}") from error
            time.sleep(0.02)
        else:
            return


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
