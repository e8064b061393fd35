"""Starting the processes of a sandbox."""

import base64
import fcntl
import os
import signal
from typing import Any

_FIRST_FREE_FD = 32
"""Descriptors are moved here first, so that none is in the way of its number in the child."""
_RUNNER_FD, _ARGS_FD, _FILTER_FD, _INFO_FD, _BLOCK_FD = 3, 4, 5, 6, 7


class Pipes:
    """Our ends of the pipes to a starting bubblewrap."""

    def __init__(self, pid: int, info: int, block: int) -> None:
        self.pid, self.info, self.block = pid, info, block


def bubblewrap(launch: "dict[str, Any]", fds: "list[int]") -> Pipes:
    """Start bubblewrap, waiting before the agent's first instruction until `Pipes.block` is written.

    Arguments and environment go through a memory file: neither secrets nor anything an agent chose (a
    LD_PRELOAD, say) reaches the command line or the environment of bubblewrap itself."""
    arguments = [
        *launch["args"],
        "--seccomp", str(_FILTER_FD), "--info-fd", str(_INFO_FD), "--block-fd", str(_BLOCK_FD),
    ]  # fmt: skip
    info_read, info_write = os.pipe2(os.O_CLOEXEC)
    block_read, block_write = os.pipe2(os.O_CLOEXEC)
    given = {
        0: os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC),
        1: fds[0],
        2: fds[1],
        _RUNNER_FD: fds[2],
        _ARGS_FD: _memory_file("\0".join(arguments).encode("utf-8", "surrogateescape") + b"\0"),
        _FILTER_FD: _memory_file(base64.b64decode(launch["filter"])),
        _INFO_FD: info_write,
        _BLOCK_FD: block_read,
    }
    moved = {number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD) for number, fd in given.items()}
    try:
        pid = os.posix_spawn(
            launch["program"],
            [launch["name"], "--args", str(_ARGS_FD), "--", *launch["command"]],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in moved.items()],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError:
        os.close(info_read)
        os.close(block_write)
        raise
    finally:
        for fd in (given[0], given[_ARGS_FD], given[_FILTER_FD], info_write, block_read, *moved.values()):
            os.close(fd)
    return Pipes(pid, info_read, block_write)


def _memory_file(content: bytes) -> int:
    fd = os.memfd_create("ao", os.MFD_CLOEXEC)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
