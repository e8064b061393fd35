"""One warm slot as its supervisor sees it: a sandbox with a template in it, and the one run that it has now."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

from . import keeper, tree
from .box import Box, send
from .control import Message, close_all
from .control import read as read_with_fds
from .sight import Sight
from .watch import Watch

_IMPORT_SECONDS = 120.0
_TIDY_SECONDS = 30.0
_MAX_BYTES = 1 << 16
_ERROR_BYTES = 2000
_STATUSES, _MOST_SECONDS = 1 << 16, 1e9
"""What `wait` gives is less, and no run has worked so long."""


class Host(Protocol):
    """What a slot needs of its supervisor."""

    def listen(self, fd: int, callback: "Callable[[int], None]") -> None: ...
    def forget(self, fd: int) -> None: ...
    def send(self, message: Message) -> None: ...


class Run:
    """A child of the template, from its fork to its end."""

    def __init__(self, id: str, limits: "dict[str, Any]") -> None:
        self.id = id
        self.watch = Watch(limits)
        self.begun = False
        self.cause: str | None = None
        self.detail = ""
        self.kill_at: float | None = None
        self.status = int(signal.SIGKILL)
        """As `wait` gives it; until the template tells, what it is when its namespace is killed."""
        self.cpu_seconds = 0.0

    def report(self) -> Message:
        ended_by = os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else None
        return {
            "op": "exited",
            "id": self.id,
            "code": os.WEXITSTATUS(self.status) if ended_by is None else None,
            "signal": ended_by,
            "cause": self.cause,
            "detail": self.detail,
            "max_rss": self.watch.max_bytes or None,
            "cpu": self.cpu_seconds,
        }


class Slot:
    """Moves through `making`, `importing`, `dressing`, then `free`, `taken`, `tidying` and `free` again.
    Whatever goes otherwise ends the slot: it is used again only when a run left nothing behind."""

    def __init__(self, host: Host, message: "dict[str, Any]") -> None:
        self.id: str = message["id"]
        self.state = "making"
        self.run: Run | None = None
        self.box: Box | None = None
        self._host = host
        self._slot: dict[str, Any] = message["slot"]
        self._limits: dict[str, Any] = message["limits"]
        self._watch = Watch(self._limits)
        self._deadline = time.monotonic() + _IMPORT_SECONDS
        self._namespaces: dict[str, int] = {}
        """Of its runs."""
        self._sockets: list[socket.socket] = []
        self._keeper: socket.socket | None = None
        self._sight: Sight | None = None
        self._template: socket.socket | None = None
        self.keeper_pid = self._template_pid = self._reaper_pid = 0
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._output = os.memfd_create("output", os.MFD_CLOEXEC)
        self._errors = os.memfd_create("errors", os.MFD_CLOEXEC)

    # Making it

    def make(self, start_box: "Callable[[list[int]], Box]") -> None:
        """Start its sandbox, whose command says by a byte on its socket that everything is mounted, and ends
        when that socket is closed."""
        ours, theirs = socket.socketpair()
        try:
            self._listen(ours, lambda _events: self._on_standing(ours))
            self.box = start_box([self._null, self._errors, theirs.fileno()])
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()

    def _listen(self, sock: socket.socket, callback: "Callable[[int], None]") -> None:
        sock.setblocking(False)
        self._sockets.append(sock)
        self._host.listen(sock.fileno(), callback)

    def _on_standing(self, sock: socket.socket) -> None:
        self._host.forget(sock.fileno())
        box = self.box
        if not _read(sock) or box is None or box.first is None or box.killed:
            return self.end("its sandbox cannot be made")
        self._template, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = [self._null, self._output, self._errors, theirs.fileno()]
        self.keeper_pid, self._keeper = keeper.start(box.first, self._slot, self._limits, given)
        theirs.close()
        self._listen(self._keeper, self._on_keeper)
        self._listen(self._template, self._on_template)
        self._template.send(json.dumps(self._slot["task"]).encode())
        self.state = "importing"

    def _on_keeper(self, _events: int) -> None:
        message, fds = self._heard_of_keeper()
        if message.get("ok") and not message["left"] and self.state in ("dressing", "tidying"):
            self._namespaces = self._namespaces or tree.namespaces(self._reaper_pid)
            self._look_through(Sight(fds, self._template_pid))
            return self._be_free()
        close_all(fds)
        if "template" in message:
            self._template_pid = message["template"]
        elif message.get("left"):
            importing = self.state == "dressing"
            self.end("the import leaves System V objects" if importing else "", lasting=importing)
        else:
            self.end(str(message.get("error", "its keeper ended")))

    def _heard_of_keeper(self) -> "tuple[dict[str, Any], list[int]]":
        assert self._keeper is not None
        try:
            data, fds = read_with_fds(self._keeper)
        except OSError:
            return {}, []
        return _message(data), fds

    def _look_through(self, sight: "Sight | None") -> None:
        if self._sight is not None:
            self._sight.close()
        self._sight = sight

    def _be_free(self) -> None:
        self.state = "free"
        size = tree.resident_bytes([self._template_pid])
        self._tell(bytes=size, namespaces=self._namespaces, pid=self._reaper_pid)

    def _on_template(self, _events: int) -> None:
        message = _message(_read(self._template))
        if self.state == "importing" and message.get("ready"):
            self._dress()
        elif self.state == "taken" and self.run is not None and _is_end(message):
            self._on_end(self.run, message)
        else:
            self.end(str(message.get("cold", "")) or self._last_words(), lasting=bool(message.get("lasting")))

    def _dress(self) -> None:
        """Look from outside at what the template says about itself, and prepare its directories."""
        children = tree.children(self._template_pid)
        if len(children) != 1 or tree.thread_count([self._template_pid]) != 1:
            return self.end("the import leaves threads or processes behind", lasting=True)
        self._reaper_pid = children[0]
        try:
            fd = os.open(f"/proc/{self._reaper_pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            return self.end(f"its process namespace: {error.strerror}")
        self.state, self._deadline = "dressing", time.monotonic() + _TIDY_SECONDS
        self._order(self._keeper, b'{"op":"dress"}', [fd])
        os.close(fd)

    # Its runs

    def fork(self, id: str, fds: "list[int]", *, quick: bool) -> None:
        """Have the template fork the next child, which waits for its task at the runner's socket; one that is
        `quick` spends CPU to save time."""
        self.run = Run(id, self._limits)
        if self.state != "free":
            return self.end("a run for a slot that is not free")
        self.state = "taken"
        self._order(self._template, b"quick" if quick else b"fork", fds)

    def begin(self) -> None:
        """The child has its task: limits count from here on."""
        if self.run is None:
            return
        self.run.begun = True
        self.run.watch.look_soon()

    def look(self) -> None:
        """What was imported may go on in its template, and is held to the limits of an import."""
        if self.state in ("making", "importing", "dead"):
            return
        if self.state in ("dressing", "tidying") and time.monotonic() > self._deadline:
            return self.end("its keeper does not answer")
        passed = self._watch.look([self._template_pid])
        if passed is not None:
            self.end(f"the template passes a limit: {passed[1]}", lasting=True)

    def _children(self) -> "list[int]":
        return [pid for pid in tree.children(self._template_pid) if pid != self._reaper_pid]

    def stop(self, cause: str, grace_seconds: float, detail: str = "") -> None:
        """The first cause counts; a shorter grace of a later call does too."""
        run = self.run
        if run is None:
            return
        if run.cause is None:
            run.cause, run.detail = cause, detail
        if grace_seconds <= 0:
            return self.end("")
        at = time.monotonic() + grace_seconds
        if run.kill_at is None:
            for pid in self._children():
                send(pid, signal.SIGTERM)
        run.kill_at = min(run.kill_at or at, at)

    def _on_end(self, run: Run, message: "dict[str, Any]") -> None:
        run.status, run.cpu_seconds = message["status"], float(message["cpu"])
        run.watch.max_bytes = max(run.watch.max_bytes, message["rss"])
        if os.WIFSIGNALED(run.status) or not self._is_clean():
            # A signal may mean the end of its namespace. Reported when what it left is gone, with the slot.
            return self.end("")
        self.run = None
        self._host.send(run.report())
        if self._sight is not None and self._sight.is_untouched():
            return self._be_free()
        self.state, self._deadline = "tidying", time.monotonic() + _TIDY_SECONDS
        self._order(self._keeper, b'{"op":"tidy"}')

    def _is_clean(self) -> bool:
        """Whether nothing of the run is left but files: no process, no connection that lingers."""
        if self._children() or tree.children(self._reaper_pid):
            return False
        return not self._slot["own_network"] or (self._sight is not None and not self._sight.has_connections())

    def _order(self, sock: "socket.socket | None", order: bytes, fds: "list[int] | None" = None) -> None:
        assert sock is not None
        try:
            socket.send_fds(sock, [order], fds or [])
        except OSError as error:
            self.end(f"it takes no orders: {error.strerror}")

    # Its end

    def end(self, reason: str, *, lasting: bool = False) -> None:
        """Kill it; the run that it has is reported when it is gone. No `reason`: nothing is wrong with it.
        `lasting`: another one would end in the same way."""
        if self.state == "dead":
            return
        self.state = "dead"
        stopped = self.box is not None and self.box.cause is not None
        self._tell(reason="" if stopped else reason, lasting=lasting)
        self._let_go()
        if self.box is not None:
            self.box.kill()

    def close(self) -> None:
        """Its sandbox is gone: report what was in it."""
        self.end(self._last_words())
        if self.run is not None:
            if self.run.cause is None and self.box is not None:
                self.run.cause, self.run.detail = self.box.cause, self.box.detail
            self._host.send(self.run.report())
            self.run = None
        close_all([self._null, self._output, self._errors])
        if self.keeper_pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.keeper_pid, 0)

    def _let_go(self) -> None:
        for sock in self._sockets:
            self._host.forget(sock.fileno())
            sock.close()
        self._sockets.clear()
        self._look_through(None)
        if self.keeper_pid:
            send(self.keeper_pid, signal.SIGKILL)

    def _tell(self, **facts: object) -> None:
        self._host.send({"op": "slot", "id": self.id, "state": self.state, **facts})

    def _last_words(self) -> str:
        said = os.pread(self._errors, _ERROR_BYTES, 0).decode("utf-8", "replace").strip()
        return said.splitlines()[-1] if said else "the template ended"

    # Time

    @property
    def next_at(self) -> "float | None":
        """When `on_time` has something to do."""
        if self.state == "importing":
            return self._watch.next_at
        if self.state != "taken" or self.run is None or not self.run.begun:
            return None
        return min(self.run.watch.next_at, self.run.kill_at or self.run.watch.next_at)

    def on_time(self, now: float) -> None:
        at = self.next_at
        if at is None or now < at:
            return
        run = self.run
        if run is None:
            passed = self._watch.look(tree.members(self._template_pid)) if self._template_pid else None
            if passed is not None:
                self.end(f"the import passes a limit: {passed[1]}", lasting=True)
            elif now > self._deadline:
                self.end("the import does not end", lasting=True)
            return
        if run.kill_at is not None and now >= run.kill_at:
            return self.end("")
        pids = [
            pid for pid in tree.members(self._template_pid) if pid not in (self._template_pid, self._reaper_pid)
        ]
        passed = run.watch.look(pids)
        if passed is not None:
            self.stop(passed[0], 0, passed[1])


def _read(sock: "socket.socket | None") -> bytes:
    """The next datagram; empty when its sender is gone."""
    assert sock is not None
    try:
        return sock.recv(_MAX_BYTES)
    except OSError:
        return b""


def _message(data: bytes) -> "dict[str, Any]":
    """Empty when it is none: a template is not trusted."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _is_end(message: "dict[str, Any]") -> bool:
    """Whether it makes sense as the end of a run: what is imported can say anything in a template's place."""
    status, cpu, rss = (message.get(name) for name in ("status", "cpu", "rss"))
    if type(status) is not int or not 0 <= status < _STATUSES:
        return False
    return type(cpu) is float and 0 <= cpu < _MOST_SECONDS and type(rss) is int and 0 <= rss < 1 << 62
