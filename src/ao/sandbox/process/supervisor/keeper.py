"""The process that tends one slot from outside: it starts the template, and gives each run fresh directories.

A slot is a sandbox as for a cold run, with a template in it that has imported the agent and forks one run at a
time. The template has no more power than a run has; all that needs power is done by the keeper, which runs
code of AO only and cannot be seen from inside.

Datagrams of JSON, supervisor → keeper: {op: "dress"} with a descriptor of the runs' process namespace, once
the template is ready; {op: "tidy"} after a run that has left something. Keeper → supervisor: {template: pid}
first, then one {ok: true, left} for each order with descriptors for `sight`, `left` when objects remain that
only the end of the slot ends; or {error}, its last word.
"""

import contextlib
import json
import os
import signal
import socket
import stat
from typing import Any

from . import enter, kernel, sight

MAX_BYTES = 1 << 16
_PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus")
"""Below /proc: what bubblewrap covers when it is root."""
_PRIVATE = kernel.MS_NOSUID | kernel.MS_NODEV
_SYSV = ("shm", "msg", "sem")


def start(
    first: int, slot: "dict[str, Any]", limits: "dict[str, Any]", fds: "list[int]"
) -> "tuple[int, socket.socket]":
    """Fork a keeper for the slot whose first process is `first`. `fds`: input, output, error output and
    socket of the template. Returns its process id and the socket to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == supervisor:
            sock, high = _keep_only(theirs.fileno(), fds)
            _keep(sock, first, slot, limits, high)
    finally:
        os._exit(1)


def _keep_only(sock: int, fds: "list[int]") -> "tuple[socket.socket, list[int]]":
    """Close all other descriptors, the locks and sockets of the supervisor among them."""
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    # Templates that end are reaped by the kernel: their namespace cannot go before they are.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.setsid()
    os.umask(0o022)
    top = max(64, 1 + max(int(name) for name in os.listdir("/proc/self/fd")))
    kept = [os.dup2(fd, top + number) for number, fd in enumerate([*fds, sock])]
    os.closerange(3, top)
    low = [os.dup2(fd, 8 + number, inheritable=False) for number, fd in enumerate(kept)]
    os.closerange(top, top + len(kept))
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    return socket.socket(fileno=low[-1]), low[:-1]


def _keep(
    sock: socket.socket, first: int, slot: "dict[str, Any]", limits: "dict[str, Any]", fds: "list[int]"
) -> None:
    try:
        user = enter.enter(first)
        waiting, _held = os.pipe()
        _say(sock, {"template": enter.spawn(slot, limits, user, [*fds, waiting])})
        for fd in (waiting, *fds):
            os.close(fd)
        rooms = [Room(path, options, slot["shown"]) for path, options in slot["private"]]
        while True:
            data, passed, _flags, _address = socket.recv_fds(sock, MAX_BYTES, 1)
            if not data:
                return
            if json.loads(data)["op"] == "dress":
                _dress(passed[0])
            for room in rooms:
                room.tidy()
            fds = sight.open_inside([path for path, _ in slot["private"]])
            socket.send_fds(sock, [json.dumps({"ok": True, "left": _left_objects()}).encode()], fds)
            for fd in fds:
                os.close(fd)
    except OSError as error:
        _say(sock, {"error": str(error)})


def _say(sock: socket.socket, message: "dict[str, Any]") -> None:
    sock.send(json.dumps(message).encode())


def _dress(pid_namespace: int) -> None:
    """Show the runs' own processes instead of the template's. Only who is among them can mount that."""
    kernel.setns(pid_namespace, kernel.CLONE_NEWPID)
    os.close(pid_namespace)
    told, telling = os.pipe()
    inside = os.fork()
    if inside == 0:
        try:
            _mount_proc()
            os.write(telling, b"mounted")
        finally:
            os._exit(0)
    os.close(telling)
    mounted = os.read(told, 16)
    os.close(told)
    with contextlib.suppress(ChildProcessError):  # the kernel reaps it; this returns when it has
        os.waitpid(inside, 0)  # or the first run could see it
    if not mounted:
        raise OSError("/proc cannot be mounted")


def _mount_proc() -> None:
    kernel.mount("proc", "/proc", "proc", _PRIVATE | kernel.MS_NOEXEC)
    for name in _PROC_READ_ONLY:
        path = f"/proc/{name}"
        if os.access(path, os.W_OK):
            kernel.mount(path, path, "", kernel.MS_BIND)
            flags = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY
            kernel.mount("", path, "", flags | _PRIVATE | kernel.MS_NOEXEC)


def _left_objects() -> bool:
    """Whether there are System V objects: they outlive their makers, and end with their namespace."""
    for name in _SYSV:
        with open(f"/proc/sysvipc/{name}", "rb") as file:
            if file.read().count(b"\n") > 1:
                return True
    return False


class Room:
    """A private directory, replaced by an empty one when anything in it has changed."""

    def __init__(self, path: str, options: str, shown: "list[str]") -> None:
        self._path = path
        self._options = options
        self._shown = [each for each in shown if each.startswith(f"{path}/")]
        """What of the host is to be seen below this path."""
        self._empty: tuple[int, ...] | None = None

    def tidy(self) -> None:
        if self._state() == self._empty:
            return
        copies = [(kernel.clone_mount(path), path) for path in self._shown]
        kernel.unmount(self._path)
        kernel.mount("tmpfs", self._path, "tmpfs", _PRIVATE, self._options)
        for fd, path in copies:
            _make_place(fd, path)
            kernel.attach_mount(fd, path)
            os.close(fd)
        self._empty = self._state()

    def _state(self) -> "tuple[int, ...]":
        used, entry = os.statvfs(self._path), os.stat(self._path)
        return (used.f_bfree, used.f_ffree, entry.st_dev, entry.st_mode, entry.st_ctime_ns)


def _make_place(fd: int, path: str) -> None:
    """Something to mount on, of the same kind; bubblewrap's directories have this mode, too."""
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.makedirs(path, mode=0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
