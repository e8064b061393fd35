"""A uvicorn server inside an event loop that somebody else owns."""

import asyncio
import contextlib
import errno
import socket
from types import TracebackType

import uvicorn
from fastapi import FastAPI

from ao.domain.errors import Conflict, InvalidConfig, Problem
from ao.server.closing import Closing
from ao.settings import is_loopback

GRACE_SECONDS = 5
"""How long answers in progress may take after the server was told to stop."""
DATE_SECONDS = 1.0
"""The date in answers is as old as that, at most."""


class Listener:
    """Async context manager: listening when entered; on exit streams end and answers in progress go out."""

    def __init__(self, app: FastAPI, listening: socket.socket, closing: Closing) -> None:
        config = uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=75,
        )
        self._server = _Server(config)
        self._socket = listening
        self._closing = closing

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def local_url(self) -> str:
        """For the commands of this machine, also when every address of it is listened on."""
        return self.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")

    async def __aenter__(self) -> "Listener":
        self._task = asyncio.create_task(self._server.serve([self._socket]), name="http server")
        await self._server.listening.wait()
        if self._task.done():
            await self._task
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()
        self._server.leave()
        await self._task


class _Server(uvicorn.Server):
    """Says when it listens, and leaves signals to the process that it is part of."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        """As uvicorn's, which looks ten times a second whether it is to leave."""
        while not await self.on_tick(counter=0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DATE_SECONDS):
                    await self._leaving.wait()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await self._serve(sockets)
        finally:
            self.listening.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


_BIND_HINTS = {
    errno.EADDRINUSE: "another program has the port: set {} to another one, or to 0 for any free one",
    errno.EADDRNOTAVAIL: "this machine does not have that address: set AO_HOST to 127.0.0.1 or to one it has",
    errno.EACCES: "this user may not take that port: set {} to one above 1023",
}


def bind(host: str, port: int, variable: str = "AO_PORT") -> socket.socket:
    """A bound socket; port 0 takes any free one. Raises Conflict when the port is taken; `variable` sets it."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise InvalidConfig(
            f"{host} is not an address of this machine",
            hint="set AO_HOST to one, such as 127.0.0.1",
            problems=[Problem("AO_HOST", str(error))],
        ) from error
    listening = socket.socket(family, kind, proto)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise Conflict(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint=_BIND_HINTS.get(error.errno or 0, "set AO_HOST and {} to an address that is free").format(
                variable
            ),
        ) from error
    return listening


def check_exposure(host: str, has_keys: bool) -> None:
    """Raises InvalidConfig for an address that other machines reach while nobody has a key."""
    if not has_keys and not is_loopback(host):
        raise InvalidConfig(
            f"refusing to listen on {host} without an API key",
            hint="start once on 127.0.0.1, which makes a key",
            problems=[Problem("AO_HOST", "is reachable from other machines, and no API key exists")],
        )
