"""The first process of a container: it starts the agent, watches its limits and ends it with the lease.

It is alone with its agent: no process outside is needed to end them. Its one connection leads to the worker,
through a socket that is mounted into this container only; when that closes, or the deadline passes that the
worker moves with each heartbeat, everything in the container is killed. As pid 1 it cannot be killed or stopped
from inside, and what it holds cannot be read there.

worker → container, as in `control`
    start   {argv, env, cwd, filter, limits, deadline, fds: 3}   fds: stdout, stderr, the runner's socket
    stop    {cause, grace}       grace in seconds: SIGTERM first
    renew   {deadline}           an instant of CLOCK_BOOTTIME, which containers share with their host
container → worker
    exited  {code, signal, cause, detail, max_rss, cpu}   all other processes are gone; the last word
"""

import base64
import os
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from . import confine, control, kernel, rlimits, tree
from .box import send
from .watch import Watch, mib

_PR_SET_DUMPABLE = 4
_START_SECONDS = 60.0
"""A container that is told nothing by then ends: its worker does not know it."""
_LOOK_SECONDS = 0.5
"""A sleep is measured on a clock that stands still while the machine is suspended: look this often."""
_KILL_AGAIN_SECONDS = 0.001
_FIRST_VICTIM = b"800"
"""The kernel, out of memory, ends the agent before this process, which tells of it."""
_OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
_PEAKS = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")


class First:
    """Pid 1, from the agent's start to the end of all."""

    def __init__(
        self, door: socket.socket, inbox: control.Inbox, start: "dict[str, Any]", agent: int, wakeup: int
    ) -> None:
        self._door = door
        self._inbox = inbox
        self._agent = agent
        self._wakeup = wakeup
        self._deadline: float | None = start["deadline"]
        self._limit: int = start["limits"]["memory"]
        self._watch = Watch(start["limits"])
        self._cause: str | None = None
        self._detail = ""
        self._kill_at: float | None = None
        self._cpu_seconds = 0.0
        self._status: int | None = None

    def run(self) -> NoReturn:
        while self._status is None:
            door = self._door.fileno()
            readable, _, _ = select.select([door, self._wakeup], [], [], self._pause())
            if self._wakeup in readable:
                os.read(self._wakeup, 4096)
                self._reap()
            if door in readable:
                self._listen()
            self._on_time()
        self._look_for_oom()
        self._kill_all()
        self._tell()
        os._exit(0)

    def _listen(self) -> None:
        data, fds = control.read(self._door)
        control.close_all(fds)
        if not data:  # the worker is gone
            self._kill_all()
            os._exit(1)
        for message, _ in self._inbox.feed(data, []):
            self.obey(message)

    def obey(self, message: "dict[str, Any]") -> None:
        if message["op"] == "stop":
            self._stop(message["cause"], message["grace"])
        else:
            self._deadline = message["deadline"]

    def _stop(self, cause: str, grace_seconds: float, detail: str = "") -> None:
        """The first cause counts; a shorter grace of a later call does too."""
        if self._cause is None:
            self._cause, self._detail = cause, detail
        if grace_seconds > 0 and self._kill_at is None:
            for pid in tree.children(os.getpid()):
                send(pid, signal.SIGTERM)
        at = time.monotonic() + grace_seconds
        self._kill_at = at if self._kill_at is None else min(self._kill_at, at)

    def _on_time(self) -> None:
        if self._status is not None:
            return
        now = time.monotonic()
        if self._deadline is not None and _boot_seconds() >= self._deadline:
            self._stop("lease", 0.0, "the worker did not renew its lease in time")
        if now >= self._watch.next_at:
            pids = tree.members(os.getpid())[1:]
            passed = self._watch.look(pids)
            if passed is not None:
                self._stop(passed[0], 0.0, passed[1])
            self._look_for_oom()
        if self._kill_at is not None and now >= self._kill_at:
            os.kill(-1, signal.SIGKILL)
            self._kill_at = now + _KILL_AGAIN_SECONDS

    def _look_for_oom(self) -> None:
        """The container's memory holds the files of its private directories, too. The kernel looks at all of
        it, and may be faster than the watch."""
        if self._cause is not None or not _oom_kills():
            return
        peak = _first_number(_PEAKS)
        self._watch.max_bytes = max(self._watch.max_bytes, peak)
        self._stop(
            "out_of_memory",
            0.0,
            f"the kernel ended a process: {mib(peak)} MiB with files in memory, "
            f"the limit is {mib(self._limit)} MiB for processes",
        )

    def _pause(self) -> float:
        moments = [self._watch.next_at, *([] if self._kill_at is None else [self._kill_at])]
        pause = min(moments) - time.monotonic()
        if self._deadline is not None:
            pause = min(pause, self._deadline - _boot_seconds(), _LOOK_SECONDS)
        return max(0.0, pause)

    def _reap(self) -> bool:
        """Take in all that ended; whether there are others."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self._cpu_seconds += usage.ru_utime + usage.ru_stime
            if pid == self._agent:
                self._status = status

    def _kill_all(self) -> None:
        """Orphans of this namespace are its first process's children: with the last one all are gone."""
        while True:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                return
            if not self._reap():
                return
            time.sleep(_KILL_AGAIN_SECONDS)

    def _tell(self) -> None:
        status = self._status or 0
        report: control.Message = {
            "op": "exited",
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "cause": self._cause,
            "detail": self._detail,
            "max_rss": self._watch.max_bytes or None,
            "cpu": self._cpu_seconds,
        }
        self._door.sendall(control.pack(report))


def _first_words(door: socket.socket, inbox: control.Inbox) -> "list[tuple[dict[str, Any], list[int]]]":
    """What to start, with its descriptors; something else may have come right after it."""
    door.settimeout(_START_SECONDS)
    while True:
        data, fds = control.read(door)
        if not data:
            os._exit(1)
        messages = inbox.feed(data, fds)
        if messages:
            door.settimeout(None)
            return messages


def _become_agent(start: "dict[str, Any]", fds: "list[int]") -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        os.setsid()
        kernel.prctl(_PR_SET_DUMPABLE, 1)
        with open("/proc/self/oom_score_adj", "wb") as file:
            file.write(_FIRST_VICTIM)
        confine.keep_only(fds)
        rlimits.apply(0, start["limits"])
        os.chdir(start["cwd"])
        kernel.load_filter(base64.b64decode(start["filter"]))
        os.execve(start["argv"][0], start["argv"], start["env"])  # noqa: S606 - that is the task
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(confine.CANNOT_START)


def _oom_kills() -> int:
    for path in _OOM_COUNTERS:
        for line in _lines(path):
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def _first_number(paths: "tuple[str, ...]") -> int:
    for path in paths:
        for line in _lines(path):
            return int(line)
    return 0


def _lines(path: str) -> "list[str]":
    """Of a file of the container's own control group; none where this kernel has another kind."""
    try:
        with open(path) as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def _boot_seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> None:
    """Argument: the path of the socket that leads to the worker."""
    kernel.prctl(_PR_SET_DUMPABLE, 0)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.connect(sys.argv[1])
    inbox = control.Inbox()
    (start, fds), *others = _first_words(door, inbox)
    if start["deadline"] is not None and _boot_seconds() >= start["deadline"]:
        os._exit(1)
    wakeup, written = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    agent = os.fork()
    if agent == 0:
        _become_agent(start, fds)
    control.close_all(fds)
    first = First(door, inbox, start, agent, wakeup)
    for message, _ in others:
        first.obey(message)
    first.run()
