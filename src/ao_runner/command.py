"""Agents in any language: a command with the agent's streams, whose result is in the file AO_OUTPUT."""

from __future__ import annotations

import os
import signal

from ao_runner import protocol, results
from ao_runner.task import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_runner.task import Task


def run(task: Task) -> bytes:
    """Start the command, hand SIGTERM on, and tell how it ended."""
    # A signal that comes before there is somebody to hand it to must wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        pid = os.posix_spawnp(
            task.command[0],
            task.command,
            os.environ,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError as error:
        raise _cannot_start(task.command[0], error) from None

    def hand_on(number: int, _frame: Any) -> None:
        os.kill(pid, number)

    signal.signal(signal.SIGTERM, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    task.send_frame(protocol.STARTED)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        name = _signal_name(os.WTERMSIG(status))
        raise Failure("signal", "", "the command was ended by %s" % name, signal=name)
    code = os.WEXITSTATUS(status)
    if code:
        raise Failure("exit", "", "the command exited with status %d" % code, exit_code=code)
    return results.from_file(task)


def _cannot_start(program: str, error: OSError) -> Failure:
    hints = {
        "FileNotFoundError": "Programs are looked for in the environment's bin and in /usr; a program of the "
        "project is named by its path, such as ./bin/agent.",
        "PermissionError": "Is it executable? `chmod +x` it and deploy again.",
    }
    name = type(error).__name__
    hint = hints.get(name, "A script needs a first line such as #!/bin/sh.")
    return Failure("error", name, "cannot start %s: %s" % (program, error.strerror), hint=hint)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number
