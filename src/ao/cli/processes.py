"""The server process of a home directory: found, verified, ended, started in the background."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ao.cli.exits import STATUS
from ao.domain.errors import AoError, Problem, Unavailable
from ao.home import Home


def server_of(home: Home) -> tuple[str, int] | None:
    """URL and pid of the server that holds this home; None when none does, whatever was left behind."""
    try:
        document = json.loads(home.server_file.read_text())
        url, pid = str(document["url"]), int(document["pid"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return (url, pid) if _holds_lock(home, pid) else None


def _holds_lock(home: Home, pid: int) -> bool:
    """Whether that process holds the home's lock, so that no other process is taken for it."""
    try:
        inode = (home.root / "lock").stat().st_ino
        locks = Path("/proc/locks").read_text()
    except FileNotFoundError:
        return _looks_like_server(pid)
    for line in locks.splitlines():
        fields = line.split()
        if "FLOCK" in fields and str(pid) in fields and any(f.endswith(f":{inode}") for f in fields):
            return True
    return False


def _looks_like_server(pid: int) -> bool:
    """Where there is no /proc: by the command line."""
    shown = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )
    return "ao" in shown.stdout and "up" in shown.stdout


@contextmanager
def watched(pid: int) -> Iterator["Watch"]:
    """A process that cannot be confused with a later one of the same number, where the kernel can do that."""
    descriptor = os.pidfd_open(pid) if sys.platform == "linux" else None
    try:
        yield Watch(pid, descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


class Watch:
    def __init__(self, pid: int, descriptor: int | None) -> None:
        self._pid = pid
        self._descriptor = descriptor

    def terminate(self) -> None:
        if self._descriptor is not None and sys.platform == "linux":
            signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)
        else:
            os.kill(self._pid, signal.SIGTERM)

    def ends_within(self, seconds: float) -> bool:
        if self._descriptor is not None:
            return bool(select.select([self._descriptor], [], [], seconds)[0])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                os.kill(self._pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.02)
        return False


def start_in_background(arguments: list[str], log: Path, seconds: float) -> dict[str, object]:
    """Run `ao ARGUMENTS --json` as a daemon; answers with its first line once it is ready.

    Raises the error that the process reported, or Unavailable when it said nothing in time.
    """
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "ao.cli", *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            start_new_session=True,
        )
    assert process.stdout is not None
    with process.stdout as pipe:
        line = pipe.readline() if select.select([pipe], [], [], seconds)[0] else None
    if line is None:
        process.terminate()
        raise Unavailable(f"the server was not ready after {seconds:.0f} s and was stopped", hint=f"see {log}")
    if not line.startswith(b"{"):
        raise Unavailable("the server ended while it started", hint=f"see {log}")
    document: dict[str, object] = json.loads(line)
    if "code" in document:
        raise _reported(document)
    return document


def _reported(document: dict[str, object]) -> AoError:
    kind = next((kind for kind in STATUS if kind.code == document["code"]), AoError)
    found = cast("Sequence[Mapping[str, Any]]", document["problems"])
    problems = [Problem(p["field"], p["message"], p["hint"], p["line"]) for p in found]
    return kind(str(document["message"]), hint=str(document["hint"]), problems=problems)
