"""A real `ao up` in a process of its own, for tests that kill it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

READY_SECONDS = 180.0
STOP_SECONDS = 180.0


class Up:
    """One home and the server process in it; it may be killed and started again."""

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.log = home.with_name(f"{home.name}.log")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """Exit status of the last process; None while it lives."""
        assert self._process is not None
        return self._process.poll()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def start(self) -> None:
        """Returns when the server takes requests; raises with its log when it does not."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AO_")}
        environ = {**kept, "AO_HOME": str(self.home), "AO_PORT": "0", **self.settings}
        ready, told = os.pipe()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(told)], env=environ, stderr=log, pass_fds=(told,)
            )
        os.close(told)
        try:
            readable, _, _ = select.select([ready], [], [], READY_SECONDS)
            if not readable or not os.read(ready, 1):
                raise AssertionError(f"ao up did not get ready:\n{self.log.read_text()[-4000:]}")
        finally:
            os.close(ready)

    def kill(self) -> None:
        """kill -9, and wait until the process is gone."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self) -> None:
        """An orderly end, as by Ctrl-C."""
        if self._process is not None and self.alive:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)

    def children(self) -> list[int]:
        return children_of(self.pid)


_START = """
import os, sys
from ao.settings import from_environment
from ao.wiring import serve
serve(from_environment(), lambda ready: os.write(int(sys.argv[1]), b"r") and None)
"""


def children_of(pid: int) -> list[int]:
    """Direct children of a process; empty when it is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants_of(pid: int) -> list[int]:
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found


def processes_mentioning(text: str) -> dict[int, str]:
    """Processes other than this one whose command line or environment names `text`: pid → command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            seen = command + (entry / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in seen:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            found[int(entry.name)] = f"{state} {command.decode(errors='replace')}"
    return found


def until(
    condition: Callable[[], object], seconds: float = 180.0, tell: Callable[[], object] = lambda: ""
) -> None:
    """Wait until `condition()` is true; AssertionError with `tell()` when it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s: {condition} {tell()}"
        time.sleep(0.02)
