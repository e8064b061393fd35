"""Finding what bubblewrap leaves behind when it is killed at the wrong moment.

Its parent half ends with the supervisor (`--die-with-parent`). Its child half arms the same signal only
after its parent half has let it go on, and waits for that without end when the parent half was killed in
between. Such a child has run nothing of the agent, but it holds the pipes open.
"""

import os
import signal
import time
from pathlib import Path

_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.005


def name_for(work_root: Path) -> str:
    """The first argument that every bubblewrap of this directory is started with; `ps` shows it."""
    return f"ao-sandbox:{work_root}"


def end_strays(work_root: Path, supervisor: int | None = None) -> None:
    """Kill every bubblewrap of this directory and return when none is left.

    Call it when a supervisor has just died, or with the pid of the next one before it starts any. What
    shows a supervisor's command line, but is not that pid, is a child that is about to become a bubblewrap
    or an init that is ending its sandbox: both get their time.
    """
    deadline = time.monotonic() + _SECONDS
    empty = 0
    # Twice: what is listed and gone when it is looked at may have left a child that is not listed.
    while empty < 2:
        commands = _commands(work_root)
        commands.pop(supervisor or 0, None)
        empty = 0 if commands else empty + 1
        for pid, command in commands.items():
            if command[0] == os.fsencode(name_for(work_root)):
                _kill(pid)
        if commands:
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {sorted(commands)} do not end")
            time.sleep(_LOOK_AGAIN_SECONDS)


def _commands(work_root: Path) -> dict[int, list[bytes]]:
    """Bubblewraps and supervisors of this directory: pid → command line."""
    bubblewrap, lock = os.fsencode(name_for(work_root)), os.fsencode(work_root / "supervisor.lock")
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                command = Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if command[0] == bubblewrap or lock in command:
                found[int(entry)] = command
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
