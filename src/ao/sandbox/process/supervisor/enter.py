"""Entering a slot's namespaces from outside, and starting what lives in them.

Only code of AO runs here with power over the slot. What runs agent code gives up every capability and loads
the same filter as a cold run before it executes the environment's Python.
"""

import base64
import fcntl
import os
import resource
import signal
import sys
from typing import Any, NoReturn

from . import kernel, rlimits

_KINDS = ("net", "ipc", "uts", "cgroup", "pid", "mnt")
_CANNOT_START = 127
_REAPER = "/bin/cat"
"""Does nothing until its input ends; with SIGCHLD ignored the kernel reaps its children for it."""
_WAITING_FD = 4
_FREE_FD, _MAX_FDS = 32, 256
"""The keeper that starts it all has far fewer."""


def enter(first: int) -> "int | None":
    """Move this process into the namespaces of process `first`, with power over them; of process ids only its
    children move. Returns a descriptor of the user namespace that agents have, None when they have ours."""
    fds = {kind: os.open(f"/proc/{first}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", *_KINDS)}
    ours = {kind: os.stat(f"/proc/self/ns/{kind}").st_ino for kind in fds}
    agents_user = None
    owner = kernel.owner_of(fds["mnt"])
    if os.fstat(owner).st_ino != ours["user"]:
        kernel.setns(owner, kernel.CLONE_NEWUSER)
    if os.fstat(fds["user"]).st_ino not in (ours["user"], os.fstat(owner).st_ino):
        # Out of the way of the descriptors that a template has.
        agents_user = fcntl.fcntl(fds["user"], fcntl.F_DUPFD_CLOEXEC, _FREE_FD)
    os.close(fds.pop("user"))
    os.close(owner)
    # What is not loaded by now must not be looked for among files that an agent may have made.
    sys.path.clear()
    sys.path_importer_cache.clear()
    for kind, fd in fds.items():
        if os.fstat(fd).st_ino != ours[kind]:
            kernel.setns(fd)
        os.close(fd)
    return agents_user


def spawn(warm: "dict[str, Any]", limits: "dict[str, Any]", user: "int | None", given: "list[int]") -> int:
    """Start the template, whose children are born in a process namespace of their own below the slot's; the
    process id as its parent sees it. `given`: input, output, error output, the supervisor's socket, and what
    the reaper waits for."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _settle(given)
        kernel.unshare(kernel.CLONE_NEWPID)
        if os.fork() == 0:
            _become_reaper(warm, user)
        _become_agent(warm, limits, user)
        os.close(_WAITING_FD)
        os.execve(warm["argv"][0], warm["argv"], warm["env"])  # noqa: S606 - that is the task
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(_CANNOT_START)


def _settle(given: "list[int]") -> None:
    os.setsid()
    for each in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(each, signal.SIG_DFL)
    for number, fd in enumerate(given):
        os.dup2(fd, number)


def _become_reaper(warm: "dict[str, Any]", user: "int | None") -> NoReturn:
    """The first process of the runs' namespace: the kernel ends them all with it."""
    try:
        _become_agent(warm, None, user)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(_WAITING_FD, 0)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.closerange(3, _WAITING_FD + 2)
        os.execve(_REAPER, ["reaper"], {})  # noqa: S606
    finally:
        os._exit(_CANNOT_START)


def _become_agent(warm: "dict[str, Any]", limits: "dict[str, Any] | None", user: "int | None") -> None:
    """Give up what this process may do in the slot: identity, capabilities, system calls."""
    if user is not None:
        kernel.setns(user, kernel.CLONE_NEWUSER)
    if limits is not None:
        rlimits.apply(0, limits)
        # Message queues would outlive a run, and nobody could see them.
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))
    kernel.drop_bounding_set()
    if warm["uid"] is not None:
        os.setgroups([])
        os.setresgid(warm["uid"], warm["uid"], warm["uid"])
        os.setresuid(warm["uid"], warm["uid"], warm["uid"])
    kernel.drop_capabilities()
    os.closerange(_WAITING_FD + 1, _MAX_FDS)
    kernel.load_filter(base64.b64decode(warm["filter"]))
