"""The smallest HTTP client that does the work: one request at a time on connections that stay open.

The load shares its cores with the server, so every microsecond that it needs is one the server has not.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

WAIT_SECONDS = 60
TERMINAL = frozenset({"completed", "failed", "cancelled"})


class Refused(Exception):
    """The server answered with a status of 400 or more, or a run did not complete."""


class Connection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def exchange(self, head: bytes, body: bytes) -> Any:
        """Send a request whose head ends with `content-length: `; the answer's JSON. Raises Refused."""
        self._writer.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        content = await self._reader.readexactly(length)
        if int(lines[0].split()[1]) >= 400:
            raise Refused(content.decode())
        return json.loads(content) if content else None

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


class Http:
    """A server's connections; each request takes an idle one or opens one."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._headers = f"host: 127.0.0.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        self._idle: list[Connection] = []

    async def get(self, path: str) -> Any:
        return await self._send("GET", path, b"")

    async def post(self, path: str, document: Mapping[str, Any]) -> Any:
        return await self._send("POST", path, json.dumps(document).encode())

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()
        self._idle.clear()

    async def _send(self, method: str, path: str, body: bytes) -> Any:
        connection = self._idle.pop() if self._idle else await self._connect()
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}content-length: "
        answer = await connection.exchange(head.encode(), body)
        self._idle.append(connection)
        return answer

    async def _connect(self) -> Connection:
        return Connection(*await asyncio.open_connection("127.0.0.1", self._port))


class Agent:
    """Submits runs of one agent and remembers what became of them. `write` makes the input of a number."""

    def __init__(self, http: Http, name: str, write: Callable[[int], Any] = int, *, priority: int = 0) -> None:
        self._http = http
        self._name = name
        self._write = write
        self._priority = priority
        self.views: list[dict[str, Any]] = []
        """Every run that has ended, as the server showed it."""

    async def result(self, number: int) -> Any:
        """Submit and wait for the output. Raises Refused."""
        return await self.ended(await self._submit(number, f"?wait={WAIT_SECONDS}"))

    async def accepted(self, number: int) -> dict[str, Any]:
        """Return as soon as the run is durable."""
        return await self._submit(number, "")

    async def ended(self, view: dict[str, Any]) -> Any:
        while view["state"] not in TERMINAL:
            view = await self._http.get(f"/v1/runs/{view['id']}?wait={WAIT_SECONDS}")
        self.views.append(view)
        if view["state"] != "completed":
            raise Refused(f"run {view['id']} {view['state']}: {view['error']}")
        return view["output"]

    async def _submit(self, number: int, query: str) -> dict[str, Any]:
        document = {"agent": self._name, "input": self._write(number), "priority": self._priority}
        view: dict[str, Any] = await self._http.post(f"/v1/runs{query}", document)
        return view
