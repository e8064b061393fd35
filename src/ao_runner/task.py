"""What the worker asked for, and the ways to say how it went."""

from __future__ import annotations

import _thread
import os
import struct
import sys

from ao_runner import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    # At run time it would cost a third of the start of a sandbox.
    import _socket
    from typing import Any, Callable, Dict, NoReturn, Protocol

    Fields = Dict[str, Any]

    class Attendance(Protocol):
        """How a run attends its session: `ao_runner.attendance`, which only such runs load."""

        def begin(self, task: Task) -> None: ...
        def last_word(self, task: Task, frame: bytes) -> bytes: ...
        def end(self, task: Task, message: Fields) -> Fields: ...
        def of_step(self, book: Any, entry: Any) -> Fields | None: ...
        def replay(self, entry: Any) -> None: ...
        def committed(self, said: Fields, path: str) -> None: ...


_SOL_SOCKET, _SCM_RIGHTS = 1, 1


class Failure(Exception):
    """Ends the attempt with this `error` message."""

    def __init__(self, kind: str, type: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.fields: Fields = {"type": "error", "kind": kind, "error_type": type, "message": message, **fields}


class Task:
    """The `start` message, and the socket that everything is reported on."""

    def __init__(self, sock: _socket.socket, start: Fields) -> None:
        self.socket = sock
        self._sending = _thread.allocate_lock()
        self.steps: Fields | None = start.get("steps")
        """What is recorded of earlier attempts; None: the worker knows no steps."""
        self.retries: Fields = start.get("retries", {})
        """Classes of exceptions that are `permanent` or `transient`; empty: none."""
        self.diverged: BaseException | None = None
        """Ends the attempt also when the agent's code has caught it: what it does from there on is not what was
        recorded."""
        self.session: Fields | None = start.get("session")
        """What the session of this run was before it; None: it has none."""
        self.attendance: Attendance | None = None
        self.kind: str = start["entrypoint"]["kind"]
        self.target: str = start["entrypoint"]["target"]
        self.command: list[str] = start["entrypoint"]["command"]
        self.input: str = start["input"]
        """JSON text."""
        self.input_file: str = start["input_file"]
        self.output_file: str = start["output_file"]
        self.code_dir: str = start["code_dir"]
        self.network: str = start["network"]
        self.egress: bool = start["egress"]
        self.env: dict[str, str] = start.get("env", {})
        """For a fork of a template; others have it already."""
        self.farewell: Callable[[], bytes] | None = None
        """What a fork of a template says after its result."""

    def send(self, message: Fields) -> None:
        self.send_frame(protocol.encode(message))

    def send_frame(self, data: bytes) -> None:
        """Send a message that is encoded already."""
        with self._sending:
            self.socket.sendall(data)

    def send_with(self, message: Fields, fd: int) -> None:
        """Send a message and, beside it, a descriptor."""
        data = protocol.encode(message)
        with self._sending:
            self.socket.sendmsg([data[:1]], [(_SOL_SOCKET, _SCM_RIGHTS, struct.pack("i", fd))])
            self.socket.sendall(data[1:])

    def pause(self, message: Fields) -> NoReturn:
        """Say the last word and end at once, as if killed here: what waits in other threads never goes on."""
        try:
            flush()
        finally:
            try:
                self.send(message)  # also when the agent has closed what was to be flushed
            finally:
                os._exit(0)

    def finish(self, frame: bytes, exit_code: int) -> NoReturn:
        """Say the last word, encoded, let threads and exit handlers end as Python would, and exit."""
        try:
            over = self.farewell() if self.farewell is not None and not exit_code else b""
            self.send_frame(frame + over)
            if over:
                os._exit(0)
        except OSError:
            # The worker is gone: it will not hear the exit code either, but the process must end.
            exit_code = exit_code or 1
        leave(exit_code)


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


current: Task | None = None
"""The task of this process, once its code is about to be loaded."""


def leave(exit_code: int) -> NoReturn:
    """Exit without tearing every module down, which takes longer than many agents run."""
    try:
        if _has_threads():
            sys.modules["threading"]._shutdown()
        if _has_exit_functions():
            sys.modules["atexit"]._run_exitfuncs()
        flush()
    finally:
        os._exit(exit_code)


def has_duties() -> bool:
    """Whether there are threads to wait for, or functions to call, before this process may exit."""
    return _has_threads() or _has_exit_functions()


idle_exit_functions = 0
"""So many functions, the first ones, are registered that have nothing to do unless logging has handlers."""


def _has_exit_functions() -> bool:
    """Whether there is one with something to do. Up to 3.13 a function that was taken back counts on."""
    atexit = sys.modules.get("atexit")
    if atexit is None:
        return False
    logging = sys.modules.get("logging")
    handlers = () if logging is None else logging._handlerList
    counted = sys.version_info < (3, 14) and atexit._ncallbacks() <= idle_exit_functions
    return not counted or len(handlers) > 1


def _has_threads() -> bool:
    """Whether there is anything to wait for, or to be called at the end of threads; what `concurrent.futures`
    wants to be called for joins threads that it has started."""
    threading = sys.modules.get("threading")
    if threading is None:
        return False
    wanted = getattr(threading, "_threading_atexits", None)
    known = 1 if "concurrent.futures.thread" in sys.modules else 0
    return wanted is None or len(wanted) > known or _thread._count() > 0
