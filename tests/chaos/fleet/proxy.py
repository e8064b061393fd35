"""A proxy on the way to Postgres or Redis, which delays what goes through it and can lose a commit's answer."""

import asyncio
import random
import re
import socket
import struct
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

COMMIT = re.compile(rb"COMMIT(?!TED)")
"""In what a client says; not in `ISOLATION LEVEL READ COMMITTED`."""
PREPARED = re.compile(rb"P....([^\0]+)\0COMMIT\0", re.DOTALL)
"""The name of a prepared commit, which says nothing else from then on."""
CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends RST, and what was not sent yet is lost."""


class Proxy:
    """Every connection to `port` of `address` goes on to `target` (host and port, or a Unix socket)."""

    def __init__(self, address: str, target: tuple[str, int] | Path, rng: random.Random) -> None:
        self._target = target
        self._rng = rng
        self.delay = 0.0
        """Seconds, in each direction."""
        self.unanswered = 0.0
        """Share of commits that are executed and not answered."""
        self.cuts = 0
        """So many were not answered."""
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._await(asyncio.start_server(self._serve, address, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._await(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _await(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._connect(client, answers)
        except (OSError, asyncio.CancelledError):
            pass  # it is a connection: one of its ends went away
        finally:
            self._tasks.discard(task)
            answers.close()

    async def _connect(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        if isinstance(self._target, Path):
            server, requests = await asyncio.open_unix_connection(self._target)
        else:
            server, requests = await asyncio.open_connection(*self._target)
        lost = asyncio.Event()
        """The next answer is not delivered."""
        ways = {
            asyncio.create_task(self._requests(client, requests, lost)),
            asyncio.create_task(self._answers(server, answers, lost)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            requests.close()

    async def _requests(
        self, client: asyncio.StreamReader, on: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        prepared = b"?"
        while data := await client.read(CHUNK):
            if (named := PREPARED.search(data)) is not None:
                prepared = named[1]
            commits = COMMIT.search(data) is not None or b"\0" + prepared + b"\0" in data
            if commits and self._rng.random() < self.unanswered:
                lost.set()
            await asyncio.sleep(self.delay)
            on.write(data)
            await on.drain()

    async def _answers(
        self, server: asyncio.StreamReader, on: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        while data := await server.read(CHUNK):
            if lost.is_set():
                self.cuts += 1
                on.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                on.transport.abort()
                return
            await asyncio.sleep(self.delay)
            on.write(data)
            await on.drain()
