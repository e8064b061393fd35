"""The way to the first process of a container: a Unix socket in a directory that this container alone mounts.

Over it go what is to be started, with its secrets, and the descriptors of its pipes: none of that is in the
container's configuration. While it is open the container lives, and no longer.
"""

import array
import asyncio
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from ao.sandbox.process.supervisor import control
from ao.sandbox.process.supervisor.control import Message


class Door:
    """One container's; made before it is, so that whoever comes is it."""

    NAME = "socket"

    def __init__(self, directory: Path) -> None:
        """`directory` is made, and removed by `close`."""
        self.directory = directory
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._connection: socket.socket | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def open(self) -> None:
        self.directory.mkdir(mode=0o755)
        # A name through the descriptor: those of sockets are short, and a home's path may be long.
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._listener.bind(f"/proc/self/fd/{fd}/{self.NAME}")
        finally:
            os.close(fd)
        (self.directory / self.NAME).chmod(0o666)  # what is above it on this host is closed to others
        self._listener.listen(1)

    async def admit(self) -> None:
        """Wait for the container's first process; nobody else comes in after it."""
        self._connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        self._listener.close()
        (self.directory / self.NAME).unlink()

    async def begin(self, start: Message, fds: Sequence[int]) -> None:
        """Say what is to be started, with its descriptors, which stay the caller's."""
        assert self._connection is not None
        data = control.pack({**start, "op": "start", "fds": len(fds)})
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        sent = self._connection.sendmsg([data[:1]], rights)  # room for this much is there
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._connection)
        self._connection = None
        self._writer.write(data[sent:])

    def send(self, message: Message) -> None:
        """A container that is gone, or not yet there, gets nothing."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(control.pack(message))

    async def receive(self) -> Message | None:
        """The next message; None when the container is gone."""
        if self._reader is None:
            return None
        try:
            head = await self._reader.readexactly(control.HEADER.size)
            body = await self._reader.readexactly(control.HEADER.unpack(head)[0])
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        [(message, _)] = control.Inbox().feed(head + body, [])
        return message

    def hang_up(self) -> None:
        """Let the container end; `receive` tells when it has."""
        if self._writer is not None and self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()
        elif self._connection is not None:
            self._connection.close()
        self._listener.close()

    def close(self) -> None:
        self._listener.close()
        if self._connection is not None:
            self._connection.close()
        if self._writer is not None:
            self._writer.close()
        if self.directory.exists():
            shutil.rmtree(self.directory)
