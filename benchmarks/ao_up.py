"""A real `ao up`, or `ao server` and `ao worker`, in a process of its own, on a fresh home and a free port."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

READY_SECONDS = 60.0
STOP_SECONDS = 30.0


class DidNotStart(Exception):
    """`ao up` ended, or was not ready in time; the message holds the end of its log."""


@dataclass(frozen=True)
class Server:
    home: Path
    url: str
    pid: int
    sandbox: str
    degraded: list[str]

    @property
    def key(self) -> str:
        return (self.home / "key").read_text().strip()

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80


@contextmanager
def ao_up(directory: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """`settings` are `AO_*` variables besides home and port; none of the caller's count. Raises DidNotStart."""
    home = directory / "home"
    with started("up", home, {"AO_PORT": "0", **settings}) as facts:
        yield Server(home, facts["url"], facts["pid"], facts["sandbox"], facts["degraded"])


@contextmanager
def server_and_worker(directory: Path, settings: Mapping[str, str]) -> Iterator[tuple[Server, int]]:
    """Two processes on one database, and the worker's pid. Raises DidNotStart."""
    home = directory / "server"
    with (
        started("server", home, {"AO_PORT": "0", **settings}) as facts,
        started("worker", directory / "worker", settings) as worker,
    ):
        yield Server(home, facts["url"], facts["pid"], worker["sandbox"], worker["degraded"]), worker["pid"]


@contextmanager
def started(command: str, home: Path, settings: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What it says when it is ready."""
    log = home.with_suffix(".log")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AO_")}
    environ = {**kept, "AO_HOME": str(home), **settings}
    arguments = [sys.executable, "-m", "ao.cli", command, "--json"]
    with log.open("wb") as errors:
        process = subprocess.Popen(arguments, env=environ, stdout=subprocess.PIPE, stderr=errors)
    try:
        yield _announced(process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _announced(process: "subprocess.Popen[bytes]", log: Path) -> dict[str, Any]:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], READY_SECONDS)
    line = process.stdout.readline() if readable else b""
    if not line:
        raise DidNotStart(log.read_text()[-4000:])
    facts: dict[str, Any] = json.loads(line)
    return facts


def tree_of(pid: int) -> list[int]:
    """The server, its supervisor, keepers, templates and what else is below."""
    found, queue = [], [pid]
    while queue:
        each = queue.pop()
        found.append(each)
        for task in _tasks(each):
            queue += [int(child) for child in _read(task / "children").split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the whole tree, and of every process that it has waited for."""
    return sum(_ticks(each) for each in tree_of(pid)) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int:
    """Memory of the whole tree; what several share is divided among them."""
    total = 0
    for each in tree_of(pid):
        lines = _read(Path(f"/proc/{each}/smaps_rollup")).splitlines()
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def _ticks(pid: int) -> int:
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])


def _tasks(pid: int) -> list[Path]:
    """None when the process is gone."""
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    """Empty when the process is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""
