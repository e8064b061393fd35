"""Starting a sandbox without namespaces: a small init of our own, and below it the agent, confined.

The init adopts orphans, so that daemons stay below it; it ends them when the agent ends and when the
supervisor is gone.
"""

import base64
import fcntl
import os
import resource
import signal
from typing import Any, NoReturn

from . import kernel, landlock, rlimits
from .box import kill_tree

CANNOT_START = 127


def start(launch: "dict[str, Any]", limits: "dict[str, Any]", fds: "list[int]") -> int:
    """The init's process id. What goes wrong later is said on the sandbox's standard error."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _init(launch, limits, fds, os.getppid())
    except BaseException as error:
        os.write(fds[1], f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(CANNOT_START)


def _init(launch: "dict[str, Any]", limits: "dict[str, Any]", fds: "list[int]", supervisor: int) -> NoReturn:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda _number, _frame: kill_tree(os.getpid(), with_root=False))
    os.setsid()
    kernel.become_subreaper()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:
        os._exit(CANNOT_START)
    keep_only(fds)
    init = os.getpid()
    agent = os.fork()
    if agent == 0:
        _become_agent(launch, limits, init)
    for fd in (0, 1, 2, 3):
        os.close(fd)
    _reap(agent)


def keep_only(fds: "list[int]") -> None:
    """stdin, stdout, stderr and the runner's socket in their places, and no other descriptor."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 4) for fd in fds]
    null = os.open(os.devnull, os.O_RDONLY)
    for number, fd in enumerate([null, *high]):
        os.dup2(fd, number)
    os.closerange(4, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)


def _reap(agent: int) -> NoReturn:
    """Wait for the agent, end what it left behind, and end in the same way."""
    status = 0
    while True:
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            break
        if pid == agent:
            status = ended
            kill_tree(os.getpid(), with_root=False)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def _become_agent(launch: "dict[str, Any]", limits: "dict[str, Any]", init: int) -> NoReturn:
    try:
        for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        os.setsid()
        rlimits.apply(0, limits)
        _drop(launch["uid"])
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != init:
            os._exit(CANNOT_START)
        os.chdir(launch["cwd"])
        if launch["landlock"]:
            landlock.restrict(launch["read"], launch["write"], launch["devices"], tcp=launch["inet"])
        if launch["filter"]:
            kernel.load_filter(base64.b64decode(launch["filter"]))
        os.execve(launch["argv"][0], launch["argv"], launch["env"])  # noqa: S606 - that is the task
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(CANNOT_START)


def _drop(uid: "int | None") -> None:
    """Become `uid`; without one, stay who we are, without capabilities."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
