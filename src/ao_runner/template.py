"""A template: imports the agent once, then forks one run after the other, each in an empty sandbox.

It has the rights of a run and no more. The socket to the supervisor carries datagrams: the task as JSON, then
`fork` or `quick` with three descriptors (output, error output, the runner's socket); back go {ready}, {cold,
lasting} when this agent must not be started warm, and {status, cpu, rss} at the end of each run. A child says
no hello: its first word is `started`.
"""

from __future__ import annotations

import _socket
import gc
import json
import os
import sys
from io import TextIOWrapper

from ao_runner import call, main, protocol, traces
from ao_runner import task as tasks
from ao_runner.farewell import farewell
from ao_runner.forks import Forks, gather_memory
from ao_runner.task import Failure, Task
from ao_runner.traces import Unfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from ao_runner.task import Fields

CONTROL_FD = 3
_MAX_BYTES = 1 << 18
_MAX_REPLAY = 1 << 15
"""A child writes it before it says its first word, and nobody reads until then: a pipe holds more."""
_SOL_SOCKET, _SCM_RIGHTS = 1, 1
_MSG_PEEK, _MSG_DONTWAIT = 0x02, 0x40
_INT_BYTES = 4
_OWN = ("AO_RUN_ID", "AO_ATTEMPT")
_REHEARSALS = 20
"""An instruction is adapted after eight. Each takes about 30 µs."""
_POOLS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


def serve() -> NoReturn:
    control = _socket.socket(fileno=CONTROL_FD)
    os.set_inheritable(CONTROL_FD, False)
    start = json.loads(control.recv(_MAX_BYTES))
    forks = Forks()
    try:
        function = _load(Task(control, start))
        _flush()
        traces.look()
        said = [_take_output(fd) for fd in (1, 2)]
    except Unfit as error:
        _say(control, {"cold": str(error)[:2000], "lasting": error.lasting})
        os._exit(0)
    forks.stop_watching()
    example = _example(start)
    _rehearse(example, _REHEARSALS)
    gc.collect()
    gc.freeze()
    gather_memory()
    _say(control, {"ready": True})
    while True:
        _renew()
        quick, fds = _next(control)
        child = forks.fork()
        if child == 0:
            _become_run(control, fds, said, function, example if quick else b"")
        for fd in fds:
            os.close(fd)
        _, status, usage = os.wait4(child, 0)
        ended = (status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)
        control.send(b'{"status":%d,"cpu":%f,"rss":%d}' % ended)


def _load(task: Task) -> Callable[..., Any]:
    """Import the agent as a cold run would, and watch what it does."""
    os.chdir(task.code_dir)
    pools = [name for name in _POOLS if name not in os.environ]
    os.environ.update(dict.fromkeys(pools, "1"))
    watched = traces.Watched()
    try:
        function = call.load_function(task)
    except Failure as failure:
        # A cold run will tell it better.
        reason = watched.reason or "the import fails: %s" % failure.fields["message"]
        raise Unfit(reason, lasting=bool(watched.reason)) from None
    finally:
        watched.stop()
        for name in pools:
            os.environ.pop(name, None)
    if watched.reason or function is None:
        raise Unfit(watched.reason or "the import exits")
    tasks.idle_exit_functions = watched.idle_exit_functions
    return function


def _take_output(fd: int) -> bytes:
    """What the import wrote; every run shows it, as a cold one does."""
    text = os.pread(fd, _MAX_REPLAY + 1, 0)
    if len(text) > _MAX_REPLAY:
        raise Unfit("the import prints more than %d bytes" % _MAX_REPLAY)
    return text


def _next(control: _socket.socket) -> tuple[bool, list[int]]:
    data, ancillary, _flags, _address = control.recvmsg(_MAX_BYTES, _socket.CMSG_SPACE(3 * _INT_BYTES))
    if data not in (b"fork", b"quick"):
        os._exit(0)
    return data == b"quick", [fd for level, kind, payload in ancillary for fd in memoryview(payload).cast("i")]


def _become_run(
    sock: _socket.socket, fds: list[int], said: list[bytes], function: Callable[..., Any], example: bytes
) -> NoReturn:
    """The child: from here on it is like a run that has just imported its agent. What it touches of its memory
    is copied, so it does little; one with an `example` spends CPU to save time: it rehearses and says farewell.
    `sock` has the descriptor at which the runner's replaces the supervisor's."""
    try:
        os.setsid()
        stdout, stderr, runner = fds
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.dup2(runner, main.RUNNER_FD, False)
        os.close(stdout)
        os.close(stderr)
        os.close(runner)
        if example and _has_plain_streams() and not _is_waiting(sock):
            _rehearse(example, 1)  # what it touches is copied before the task is there
        start = protocol.receive(sock)
        if start is None:
            os._exit(1)
        for number, text in enumerate(said, 1):
            _write_all(number, text)
        task = Task(sock, start)
        task.farewell = farewell if example else None
        for name, value in task.env.items():
            os.environ[name] = value
    except BaseException as error:
        os.write(2, ("%s: %s\n" % (type(error).__name__, error)).encode())
        os._exit(1)
    main.run(task, lambda task: call.call_function(function, task))


def _has_plain_streams() -> bool:
    """Whether a rehearsal, which flushes them, calls no code of the agent's."""
    return type(sys.stdout) is TextIOWrapper and type(sys.stderr) is TextIOWrapper


def _is_waiting(sock: _socket.socket) -> bool:
    """Whether the task is there already."""
    try:
        sock.recv(1, _MSG_PEEK | _MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


def _example(start: Fields) -> bytes:
    """The task of a run that does nothing."""
    return protocol.encode({**start, "input": "0", "env": dict.fromkeys(_OWN, "0"), "egress": False})


def _rehearse(example: bytes, times: int) -> None:
    """Do a child's work with a function that does nothing: in the template so often that the interpreter has
    adapted to it. What that writes into its own memory, no child has to, which would copy the page."""
    here, there = _socket.socketpair()
    for _ in range(times):
        here.sendall(example)
        task = Task(there, protocol.receive(there) or {})
        os.environ.update(task.env)
        main.prepare(task)
        task.send_frame(call.call_function(_nothing, task) + farewell())
        here.recv(_MAX_BYTES)
        for name in (*_OWN, "AGENT_INPUT"):
            del os.environ[name]
    here.close()
    there.close()


def _nothing(value: object) -> object:
    return value


def _renew() -> None:
    """What the next child finds is not what earlier ones had: here it costs less than in the child."""
    # The flags of an input are the file's, not the process's.
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    # What keeps one state for the whole process.
    for name in ("random", "numpy.random", "torch"):
        seed = getattr(sys.modules.get(name), "seed", None)
        if seed is not None:
            seed()


def _write_all(fd: int, text: bytes) -> None:
    while text:
        text = text[os.write(fd, text) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _say(control: _socket.socket, message: Fields) -> None:
    control.send(json.dumps(message).encode())
