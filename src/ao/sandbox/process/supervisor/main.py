"""The supervisor's one loop: the worker's socket, its children, their limits and the kill deadline."""

import fcntl
import os
import re
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from . import confine, control, kernel, launch, rlimits, tree
from .box import Box, kill_tree
from .slot import Slot

_LEASE_LOOK_SECONDS = 0.5
"""A sleep is measured on a clock that stands still while the machine is suspended: look this often."""

_CHILD_PID = re.compile(rb'"child-pid": (\d+)')
"""The first that bubblewrap says; when it was killed it may have said no more."""

_STRAYS_LOOK_SECONDS = 0.01


class Supervisor:
    """Holds sandboxes for one worker until that worker is gone or its lease is over."""

    def __init__(self, worker: socket.socket) -> None:
        self._worker = worker
        self._worker_gone = False
        self._inbox = control.Inbox()
        self._outbox = bytearray()
        self._wanted = selectors.EVENT_READ
        self._boxes: dict[str, Box] = {}
        self._by_pid: dict[int, Box] = {}
        self._slots: dict[str, Slot] = {}
        self._unfinished: set[Box] = set()
        """Ended, but for strays that have just been killed."""
        self._deadline: float | None = None
        self._selector = selectors.DefaultSelector()
        worker.setblocking(False)
        self.listen(worker.fileno(), self._on_worker)
        self._wakeup = _signal_pipe()
        self.listen(self._wakeup, self._on_signal)

    def run(self) -> None:
        self.send({"op": "ready", "pid": os.getpid()})
        while not (self._worker_gone and not self._boxes):
            if self._outbox:
                self._flush()
            for key, events in self._selector.select(self._pause()):
                current = self._selector.get_map().get(key.fd)
                if current is not None and current.data == key.data:
                    key.data(events)
            self._on_time()

    def listen(self, fd: int, callback: "Callable[[int], None]") -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def forget(self, fd: int) -> None:
        """Listen no more; nothing when nobody did."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    # The worker

    def send(self, message: control.Message) -> None:
        """It leaves with all others of this turn of the loop: the worker wakes up once for them."""
        if not self._worker_gone:
            self._outbox += control.pack(message)

    def _flush(self) -> None:
        try:
            while self._outbox:
                del self._outbox[: self._worker.send(self._outbox)]
        except BlockingIOError:
            pass
        except OSError:
            self._lose_worker()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outbox else 0)
        if wanted != self._wanted:
            self._wanted = wanted
            self._selector.modify(self._worker.fileno(), wanted, self._on_worker)

    def _on_worker(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush()
        if not events & selectors.EVENT_READ or self._worker_gone:
            return
        try:
            data, fds = control.read(self._worker)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self._lose_worker()
            return
        for message, passed in self._inbox.feed(data, fds):
            self._obey(message, passed)

    def _lose_worker(self) -> None:
        if self._worker_gone:
            return
        self._worker_gone = True
        self._selector.unregister(self._worker.fileno())
        self._stop_all("the worker is gone")

    def _obey(self, message: "dict[str, Any]", fds: "list[int]") -> None:
        op = message["op"]
        if op == "start":
            self._start(message, fds)
        elif op == "stop":
            self._stop(message["id"], message["cause"], message["grace"])
        elif op == "fork":
            self._fork(message, fds)
        elif op == "begin":
            slot = self._slots.get(message["slot"])
            if slot is not None:
                slot.begin()
        elif op == "renew":
            self._deadline = _boot_seconds() + message["seconds"]
        else:
            raise control.ControlError(f"unknown op {op!r}")

    def _stop(self, id: str, cause: str, grace_seconds: float) -> None:
        box = self._boxes.get(id)
        if box is not None:
            box.stop(cause, grace_seconds)
        for slot in self._slots.values():
            if slot.run is not None and slot.run.id == id:
                slot.stop(cause, grace_seconds)
                break

    def _fork(self, message: "dict[str, Any]", fds: "list[int]") -> None:
        slot = self._slots.get(message["slot"])
        if slot is not None:
            slot.fork(message["id"], fds, quick=message["quick"])
        else:
            self.send({"op": "refused", "id": message["id"], "message": "the slot is gone"})
        control.close_all(fds)

    # Sandboxes

    def _start(self, message: "dict[str, Any]", fds: "list[int]") -> None:
        try:
            if "slot" in message:
                slot = Slot(self, message)
                slot.make(lambda given: self._start_bubblewrap(message, given))
                self._slots[slot.id] = slot
            elif message["launch"]["kind"] == "bwrap":
                self._start_bubblewrap(message, fds)
            else:
                self._start_confined(message, fds)
        except (OSError, ValueError) as error:
            self.send({"op": "refused", "id": message["id"], "message": str(error)})
        finally:
            control.close_all(fds)

    def _start_confined(self, message: "dict[str, Any]", fds: "list[int]") -> None:
        pid = confine.start(message["launch"], message["limits"], fds)
        box = Box(message["id"], pid, message["limits"], own_pid_namespace=False)
        box.first = pid
        self._boxes[box.id] = self._by_pid[box.outer] = box
        self.send({"op": "started", "id": box.id, "pid": pid, "namespaces": tree.namespaces(pid)})

    def _start_bubblewrap(self, message: "dict[str, Any]", fds: "list[int]") -> Box:
        pipes = launch.bubblewrap(message["launch"], fds)
        box = Box(message["id"], pipes.pid, message["limits"], own_pid_namespace=True)
        box.block_fd, box.settled = pipes.block, False
        self._boxes[box.id] = self._by_pid[box.outer] = box
        self.listen(pipes.info, lambda _events: self._on_info(box, pipes.info, message["limits"]))
        return box

    def _on_info(self, box: Box, fd: int, limits: "dict[str, Any]") -> None:
        """Bubblewrap says which process is the first; it says nothing when it fails, and then it exits."""
        text = os.read(fd, 4096)
        box.told += text
        if text and not box.told.endswith(b"}\n"):
            return
        self._selector.unregister(fd)
        os.close(fd)
        box.settled = True
        told = _CHILD_PID.search(box.told)
        if told is not None:
            self._adopt(box, int(told[1]), limits)
        if box.first is not None and box.cause is None:
            os.write(box.block_fd, b"x")
        os.close(box.block_fd)
        self._finish(box)

    def _adopt(self, box: Box, pid: int, limits: "dict[str, Any]") -> None:
        try:
            first_fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        box.first, box.first_fd = pid, first_fd
        self._by_pid[pid] = box
        self.listen(first_fd, lambda _events: self._on_first_gone(box, first_fd))
        if box.cause is not None or box.status is not None:
            box.kill()
            return
        try:
            rlimits.apply(pid, limits)
        except (OSError, ValueError) as error:
            box.stop("processes", 0, f"limits could not be set: {error}")
            return
        self.send({"op": "started", "id": box.id, "pid": pid, "namespaces": tree.namespaces(pid)})

    def _on_first_gone(self, box: Box, fd: int) -> None:
        # Bubblewrap may have left it to us; its CPU time counts.
        self._reap()
        box.first_gone = True
        self._selector.unregister(fd)
        os.close(fd)
        box.first_fd = None
        self._finish(box)

    def _on_signal(self, _events: int) -> None:
        os.read(self._wakeup, 4096)
        self._reap()

    def _reap(self) -> None:
        """Take in all children that ended, then report: whoever hears of an end finds nothing left."""
        ended: list[Box] = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            box = self._by_pid.pop(pid, None)
            if box is None:
                continue
            box.cpu_seconds += usage.ru_utime + usage.ru_stime
            if pid == box.outer:
                box.status = status
                ended.append(box)
        for box in ended:
            box.kill()
            self._finish(box)

    def _finish(self, box: Box) -> None:
        # The end of a namespace takes every process in it along; one that was killed before it could say which
        # its first process is, has left that to us.
        if box.ended and not box.first_gone and self._kill_strays():
            self._unfinished.add(box)
            return
        self._unfinished.discard(box)
        if box.ended and not box.reported:
            box.reported = True
            del self._boxes[box.id]
            self._by_pid.pop(box.first or box.outer, None)
            slot = self._slots.pop(box.id, None)
            if slot is not None:
                slot.close()
            self.send(box.report())

    def _kill_strays(self) -> bool:
        """Whether there were processes of an init that its agent had killed, or of a bubblewrap that was killed
        while it started: they come to us."""
        known = {pid for box in self._boxes.values() for pid in (box.outer, box.first)}
        known |= {slot.keeper_pid for slot in self._slots.values()}
        strays = [pid for pid in tree.children(os.getpid()) if pid not in known]
        for pid in strays:
            kill_tree(pid, with_root=True)
        return bool(strays)

    def _stop_all(self, detail: str) -> None:
        for box in list(self._boxes.values()):
            box.stop("lease", 0, detail)
        # All keepers at once: the end of each takes its namespaces with it, which takes a while.
        for slot in list(self._slots.values()):
            slot.end("")

    # Time

    def _pause(self) -> float:
        now = time.monotonic()
        moments = [now + (_STRAYS_LOOK_SECONDS if self._unfinished else 60.0)]
        for box in self._boxes.values():
            if box.first is not None and not box.first_gone:
                moments.append(box.watch.next_at)
            if box.kill_at is not None:
                moments.append(box.kill_at)
        moments += [slot.next_at for slot in self._slots.values() if slot.next_at is not None]
        if self._deadline is not None and self._boxes:
            left = self._deadline - _boot_seconds()
            moments.append(now + min(_LEASE_LOOK_SECONDS, max(0.0, left)))
        return max(0.0, min(moments) - now)

    def _on_time(self) -> None:
        if self._deadline is not None and _boot_seconds() >= self._deadline:
            self._deadline = None
            self._stop_all("the worker did not renew its lease in time")
        for box in list(self._unfinished):
            self._finish(box)
        now = time.monotonic()
        for box in list(self._boxes.values()):
            if box.kill_at is not None and now >= box.kill_at:
                box.kill()
            if box.first is not None and not box.first_gone and now >= box.watch.next_at:
                passed = box.watch.look(tree.members(box.first))
                if passed is not None:
                    box.stop(passed[0], 0, passed[1])
                elif box.id in self._slots:
                    self._slots[box.id].look()
        for slot in list(self._slots.values()):
            slot.on_time(now)


def _boot_seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _signal_pipe() -> int:
    """A descriptor that becomes readable with every signal. Handlers, not "ignore", which children inherit."""
    read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return read


def _lock(path: str) -> int:
    """Wait until no other supervisor of this directory is left."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def main() -> None:
    """Arguments: the number of the control socket's descriptor, the path of the lock file."""
    worker = socket.socket(fileno=int(sys.argv[1]))
    worker.set_inheritable(False)
    kernel.become_subreaper()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _lock(sys.argv[2])
    Supervisor(worker).run()
