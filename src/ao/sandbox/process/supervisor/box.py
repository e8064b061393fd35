"""One sandbox as its supervisor holds it, from start to the last process gone."""

import os
import signal
import time
from typing import Any

from . import control, tree
from .watch import Watch

_LOOK_AGAIN_SECONDS = 0.01


class Box:
    """Processes of one sandbox. `outer` is our child; `first` is pid 1 of its namespace, where there is one,
    and `outer` itself where there is none: it adopts orphans, so the whole tree hangs below it."""

    def __init__(self, id: str, outer: int, limits: "dict[str, Any]", *, own_pid_namespace: bool) -> None:
        self.id = id
        self.outer = outer
        self.first: int | None = None
        self.first_fd: int | None = None
        self.block_fd = -1
        """Writing to it lets the first process go on."""
        self.settled = True
        """False while bubblewrap has not yet said which process is the first."""
        self.told = b""
        """What it has said so far."""
        self.watch = Watch(limits)
        self.own_pid_namespace = own_pid_namespace
        self.cause: str | None = None
        self.detail = ""
        self.kill_at: float | None = None
        """Monotonic instant of SIGKILL, while a grace period runs."""
        self.killed = False
        self.status: int | None = None
        self.cpu_seconds = 0.0
        self.first_gone = False
        self.reported = False

    @property
    def ended(self) -> bool:
        if self.status is None or not self.settled:
            return False
        return self.first is None or self.first_gone or not self.own_pid_namespace

    def stop(self, cause: str, grace_seconds: float, detail: str = "") -> None:
        """The first cause counts; a shorter grace of a later call does too."""
        if self.cause is None:
            self.cause, self.detail = cause, detail
        if grace_seconds <= 0:
            self.kill()
            return
        if self.killed:
            return
        at = time.monotonic() + grace_seconds
        if self.kill_at is None:
            self._terminate()
            self.kill_at = at
        self.kill_at = min(self.kill_at, at)

    def kill(self) -> None:
        self.kill_at = None
        self.killed = True
        if self.first is not None and self.own_pid_namespace:
            # The kernel ends the whole namespace with its first process.
            self._signal_first()
            if self.status is None:
                send(self.outer, signal.SIGCONT)  # one that was stopped must see it
        elif self.status is None:
            kill_tree(self.outer, with_root=self.own_pid_namespace)
            # An init that its agent has stopped must see the end. One that has just started may not have
            # forked yet: look again.
            send(self.outer, signal.SIGCONT)
            self.kill_at = time.monotonic() + _LOOK_AGAIN_SECONDS

    def _signal_first(self) -> None:
        if self.first_fd is None or self.first_gone:
            return
        try:
            signal.pidfd_send_signal(self.first_fd, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _terminate(self) -> None:
        """SIGTERM to the runner, which hands it on; the first process is only a reaper."""
        for pid in tree.children(self.first) if self.first is not None else []:
            send(pid, signal.SIGTERM)

    def report(self) -> control.Message:
        status = self.status or 0
        ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        if self.own_pid_namespace and code is not None and 128 < code < 128 + signal.NSIG:
            # Bubblewrap says it so when its command was ended by a signal.
            ended_by = code - 128
            code = None
        return {
            "op": "exited",
            "id": self.id,
            "code": code,
            "signal": ended_by,
            "cause": self.cause,
            "detail": self.detail,
            "max_rss": self.watch.max_bytes or None,
            "cpu": self.cpu_seconds,
        }


def kill_tree(root: int, *, with_root: bool) -> None:
    """Stop everything below `root` until nothing new appears, then kill it: nothing can fork meanwhile."""
    stopped: set[int] = set()
    while True:
        fresh = [pid for pid in tree.members(root) if pid not in stopped and (with_root or pid != root)]
        if not fresh:
            break
        for pid in fresh:
            stopped.add(pid)
            send(pid, signal.SIGSTOP)
    for pid in stopped:
        send(pid, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    """Signal a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
