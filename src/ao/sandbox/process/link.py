"""The worker's end of the control socket: starts the supervisor process and talks to it."""

import array
import asyncio
import contextlib
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ao.domain.errors import SandboxError
from ao.sandbox.process.streams import ready
from ao.sandbox.process.supervisor import control

OnMessage = Callable[[control.Message], None]
OnLost = Callable[[], Awaitable[None]]

_READY_SECONDS = 20.0
_START = "import sys; sys.path.insert(0, {path!r}); from supervisor.main import main; main()"


class _Read(NamedTuple):
    here: list[control.Message]
    last: bool
    """Nothing more has come yet."""


class Link:
    """One supervisor. `lost` is set when it is gone, asked or not."""

    def __init__(self, sock: socket.socket, process: asyncio.subprocess.Process) -> None:
        self._sock = sock
        self._process = process
        self._inbox = control.Inbox()
        self._queue: deque[tuple[memoryview, list[int]]] = deque()
        self._writing = False
        self._over = asyncio.Event()
        self._ended: asyncio.Task[None] | None = None
        self.lost = asyncio.Event()
        self.dead = False
        """Set as soon as the end is known, before its sandboxes are seen off: nothing more is started."""
        self.pid = process.pid

    @classmethod
    async def open(cls, work_root: Path) -> "Link":
        """Start a supervisor and wait until no older one of `work_root` is left."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        lock = work_root / "supervisor.lock"
        code = _START.format(path=str(Path(__file__).parent))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", code, str(theirs.fileno()), str(lock),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), start_new_session=True, env={}, cwd="/",
            )  # fmt: skip
        except OSError as error:
            ours.close()
            raise SandboxError(f"the supervisor cannot be started: {error}") from error
        finally:
            theirs.close()
        link = cls(ours, process)
        try:
            await link._wait_ready(lock)
        except BaseException:
            ours.close()
            raise
        return link

    async def _wait_ready(self, lock: Path) -> None:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                messages = await self._next()
        except TimeoutError as error:
            raise SandboxError(
                f"another supervisor still holds {lock}",
                hint=f"`fuser {lock}` names the process; it ends when its sandboxes are gone.",
            ) from error
        if not messages:
            raise SandboxError("the supervisor ended while it was starting", hint="Its error output says why.")

    def listen(self, on_message: OnMessage, on_lost: OnLost) -> None:
        """Call `on_message` with every message from now on, in order, and `on_lost` at the end."""
        self._ended = asyncio.create_task(self._end(on_lost), name="sandbox supervisor")
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._on_readable, on_message)

    def send(self, message: control.Message, fds: Sequence[int] = ()) -> None:
        """Deliver a message with descriptors, which are closed then. A supervisor that is gone gets nothing:
        `on_lost` tells."""
        if self._sock.fileno() < 0:
            control.close_all(list(fds))
            return
        self._queue.append((memoryview(control.pack(message)), list(fds)))
        if len(self._queue) == 1:
            self._flush()

    def _flush(self) -> None:
        loop, fd = asyncio.get_running_loop(), self._sock.fileno()
        while self._queue and fd >= 0:
            view, fds = self._queue[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                sent = self._sock.sendmsg([view], rights)
            except BlockingIOError:
                loop.add_writer(fd, self._flush)
                self._writing = True
                return
            except OSError:
                self._discard()
                break
            control.close_all(fds)
            self._queue[0] = (view[sent:], [])
            if sent == len(view):
                self._queue.popleft()
        if self._writing:
            loop.remove_writer(fd)
            self._writing = False

    def _discard(self) -> None:
        for _view, fds in self._queue:
            control.close_all(fds)
        self._queue.clear()

    async def close(self) -> None:
        """Say goodbye (the supervisor kills what is left) and wait for its end."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        await self._process.wait()
        if self._ended is not None:
            await self._ended
        self._sock.close()

    async def _next(self) -> list[control.Message]:
        """The messages that arrived; none when the supervisor is gone."""
        while True:
            messages = self._read()
            if messages is None:
                return []
            if messages.here:
                return messages.here
            if messages.last:
                await ready(self._sock.fileno())

    def _read(self) -> "_Read | None":
        """What is there; None when the supervisor is gone."""
        try:
            data, _fds = control.read(self._sock)
        except BlockingIOError:
            return _Read([], last=True)
        except OSError:
            return None
        return _Read([message for message, _ in self._inbox.feed(data, [])], last=False) if data else None

    def _on_readable(self, on_message: OnMessage) -> None:
        """Read all there is: of a socket that failed a loop may tell but once."""
        while (messages := self._read()) is not None:
            for message in messages.here:
                on_message(message)
            if messages.last:
                return
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self.dead = True
        self._over.set()

    async def _end(self, on_lost: OnLost) -> None:
        await self._over.wait()
        await self._process.wait()
        await on_lost()
        self.lost.set()
