"""The life of one attempt: hello, start, set-up, the agent's code, the last word."""

from __future__ import annotations

import _socket
import json
import os
import sys

from ao_runner import call, protocol
from ao_runner import task as tasks
from ao_runner.task import Failure, Task, leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, NoReturn

    from ao_runner.task import Fields

RUNNER_FD = 3
MAX_INPUT_IN_ENV = 96 << 10
"""One variable of the environment may have 128 KiB on Linux."""
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")


def main() -> NoReturn:
    # Not `socket`: its import takes as long as starting Python does.
    sock = _socket.socket(fileno=RUNNER_FD)
    os.set_inheritable(RUNNER_FD, False)
    sock.sendall(protocol.encode(hello()))
    start = protocol.receive(sock)
    if start is None:
        # The worker let go before it said what to do.
        leave(1)
    if start.get("protocol") not in protocol.PROTOCOLS:
        message = "the runner speaks protocol %s, not %r" % (protocol.VERSION, start.get("protocol"))
        failure = Failure("protocol", "ProtocolError", message)
        sock.sendall(protocol.encode(failure.fields))
        leave(1)
    task = Task(sock, start)
    run(task, call.RUNNERS[task.kind])


def hello() -> Fields:
    return {
        "type": "hello",
        "protocols": list(protocol.PROTOCOLS),
        "python": "%d.%d.%d" % sys.version_info[:3],
        "pid": os.getpid(),
        "namespaces": {name: os.stat("/proc/self/ns/" + name).st_ino for name in NAMESPACES},
    }


def run(task: Task, runner: Callable[[Task], bytes]) -> NoReturn:
    tasks.current = task
    try:
        prepare(task)
        result = runner(task)
        if task.attendance is not None:
            result = task.attendance.last_word(task, result)
    except Failure as failure:
        task.finish(protocol.encode(failure.fields), failure.fields.get("exit_code") or 1)
    task.finish(result, 0)


def prepare(task: Task) -> None:
    """The environment that every kind of agent finds."""
    os.chdir(task.code_dir)
    os.environ["AO_OUTPUT"] = task.output_file
    try:
        text = task.input.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair is JSON only when it is escaped.
        text = json.dumps(json.loads(task.input)).encode()
    if len(text) <= MAX_INPUT_IN_ENV:
        os.environ["AGENT_INPUT"] = text.decode()
    else:
        with open(task.input_file, "wb") as file:
            file.write(text)
        os.environ["AGENT_INPUT_FILE"] = task.input_file
    if task.session is not None:
        from ao_runner import attendance  # noqa: PLC0415 - only runs of sessions need it

        task.attendance = attendance
        attendance.begin(task)
    if task.egress:
        from ao_runner.egress import open_door  # noqa: PLC0415 - few agents need it

        open_door(task)
