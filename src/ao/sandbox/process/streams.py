"""Pipes and sockets of a sandbox as the worker's event loop reads them: on demand, without buffering ahead."""

import array
import asyncio
import os
import socket
import weakref
from collections import deque
from collections.abc import Callable

from ao.sandbox import Message
from ao_runner import protocol

_CHUNK_BYTES = 1 << 16
_MAX_FDS = 8


async def ready(fd: int, *, write: bool = False, over: asyncio.Future[None] | None = None) -> None:
    """Wait until `fd` can be read (or written), or `over` is done. One waiter at a time for each direction."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)

    def wake(_over: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    add(fd, wake)
    if over is not None:
        over.add_done_callback(wake)
    try:
        await waiter
    finally:
        remove(fd)
        if over is not None:
            over.remove_done_callback(wake)


class _Readable:
    """Wakes whoever waits until a descriptor can be read, or nothing more will come. The loop looks at it from
    the first wait on, until something comes that nobody waits for."""

    def __init__(self, fd: int, over: asyncio.Future[None]) -> None:
        self._fd = fd
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Future[None] | None = None
        over.add_done_callback(self._wake)

    async def wait(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._fd, self._on_event)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _on_event(self) -> None:
        if self._waiter is None:
            self.forget()
        else:
            self._wake()

    def _wake(self, _over: object = None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def forget(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        self._loop = None


class Pipe:
    """The reading end of a pipe; it owns the descriptor and closes it at the end of file. When `over` is
    done, what is in the pipe is all there is, whoever may still hold the other end."""

    def __init__(self, fd: int, over: asyncio.Future[None]) -> None:
        self._fd = fd
        self._over = over
        self._readable = _Readable(fd, over)
        self._close = weakref.finalize(self, _let_go, self._readable, os.close, fd)

    async def read(self) -> bytes:
        """The next bytes; empty at the end and ever after."""
        while self._close.alive:
            try:
                data = os.read(self._fd, _CHUNK_BYTES)
            except BlockingIOError:
                if self._over.done():
                    break
                await self._readable.wait()
                continue
            if not data:
                break
            return data
        self._close()
        return b""

    def close(self) -> None:
        self._close()


class RunnerSocket:
    """The worker's end of the socket to a runner: frames of `ao_runner.protocol`, and descriptors. `over` as
    for a `Pipe`."""

    def __init__(self, sock: socket.socket, over: asyncio.Future[None]) -> None:
        sock.setblocking(False)
        self._over = over
        self._sock = sock
        self._readable = _Readable(sock.fileno(), over)
        self._close = weakref.finalize(self, _let_go, self._readable, sock.close)
        self._fds: list[int] = []
        weakref.finalize(self, _close_fds, self._fds)
        self._buffer = bytearray()
        self._messages: deque[Message] = deque()
        self._fault: protocol.ProtocolError | None = None
        self._sending = asyncio.Lock()

    def put_back(self, message: Message) -> None:
        self._messages.appendleft(message)

    async def receive(self) -> Message | None:
        """The next message, None when the runner closed its end. Raises `ProtocolError`."""
        while not self._messages:
            if self._fault is not None:
                raise self._fault
            if not self._close.alive:
                return None
            data = await self._read()
            if data is None:
                self._close()
                if self._buffer:
                    raise protocol.ProtocolError("socket closed inside a frame")
                return None
            self._buffer += data
            try:
                self._split()
            except protocol.ProtocolError as error:
                # What was right before it is heard first.
                self._fault = error
        return self._messages.popleft()

    async def send(self, message: Message) -> None:
        """Deliver one message; silently nothing when the runner is gone: its end tells more."""
        view = memoryview(protocol.encode(message))
        async with self._sending:
            while view and self._close.alive:
                try:
                    view = view[self._sock.send(view) :]
                except BlockingIOError:
                    if self._over.done():
                        return
                    await ready(self._sock.fileno(), write=True, over=self._over)
                except (BrokenPipeError, ConnectionResetError):
                    return

    def take_fd(self) -> int | None:
        """The oldest descriptor that the runner passed; the caller owns it."""
        return self._fds.pop(0) if self._fds else None

    def close(self) -> None:
        self._close()

    async def _read(self) -> bytes | None:
        space = socket.CMSG_SPACE(_MAX_FDS * array.array("i").itemsize)
        while True:
            try:
                data, ancillary, _flags, _address = self._sock.recvmsg(
                    _CHUNK_BYTES, space, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                if self._over.done():
                    return None
                await self._readable.wait()
                continue
            except ConnectionResetError:
                return None
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    self._fds += memoryview(payload[: len(payload) & ~3]).cast("i")
            if len(self._fds) > _MAX_FDS:
                raise protocol.ProtocolError("more descriptors than anybody needs")
            return data or None

    def _split(self) -> None:
        size = protocol.HEADER.size
        while len(self._buffer) >= size:
            (length,) = protocol.HEADER.unpack_from(self._buffer)
            if length > protocol.MAX_FRAME_BYTES:
                raise protocol.ProtocolError(
                    f"frame of {length} bytes is larger than {protocol.MAX_FRAME_BYTES}"
                )
            if len(self._buffer) < size + length:
                return
            self._messages.append(protocol.decode(bytes(self._buffer[size : size + length])))
            del self._buffer[: size + length]


def _let_go(readable: _Readable, close: Callable[..., object], *fds: int) -> None:
    readable.forget()
    close(*fds)


def _close_fds(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


class Ends:
    """The pipes and the socket of one sandbox: our ends wrapped, and `theirs` as descriptors to pass on."""

    def __init__(self) -> None:
        stdout, stdout_theirs = os.pipe2(os.O_CLOEXEC)
        stderr, stderr_theirs = os.pipe2(os.O_CLOEXEC)
        for fd in (stdout, stderr):
            os.set_blocking(fd, False)
        ours, theirs = socket.socketpair()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when no process of the sandbox is left, or the last one writes nothing more."""
        self.stdout, self.stderr = Pipe(stdout, self.over), Pipe(stderr, self.over)
        self.runner = RunnerSocket(ours, self.over)
        self.theirs = [stdout_theirs, stderr_theirs, theirs.detach()]
