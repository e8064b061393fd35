"""A whole platform behind a real uvicorn on loopback, in this event loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.local import Local, local_platform

from ao.domain.access import Role
from ao.server.listen import Listener, bind
from ao.server.services import Services
from ao.wiring import application

ECHO = {"agent.py": "def work(task): return task"}
FUNCTION = 'entrypoint = "agent:work"'


class Served:
    def __init__(self, local: Local, listener: Listener, key: str, http: httpx.AsyncClient) -> None:
        self.local = local
        self.listener = listener
        self.url = listener.url
        self.key = key
        self.http = http
        """Sends the admin key."""

    @property
    def services(self) -> Services:
        return self.local.platform.services

    async def json(self, method: str, path: str, body: object = None, *, status: int = 200, **more: Any) -> Any:
        """The answer's JSON; fails the test when the status is another one."""
        answer = await self.http.request(method, path, json=body, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def problem(self, method: str, path: str, body: object = None, *, status: int, **more: Any) -> Any:
        answer = await self.http.request(method, path, json=body, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        document = answer.json()
        assert document["status"] == status
        return document

    async def key_of(self, role: str, agents: Sequence[str] = ()) -> str:
        """The text of a new key."""
        return (await self.services.keys.issue(role, Role(role), agents=agents))[1]


@asynccontextmanager
async def served(
    scratch: Path, variables: Mapping[str, str] | None = None, *, worker: bool = False
) -> AsyncIterator[Served]:
    async with local_platform(scratch, variables, worker=worker) as local:
        services = local.platform.services
        listening = bind("127.0.0.1", 0)
        key = (scratch / "home/key").read_text().strip()
        async with Listener(application(services), listening, services.closing) as listener:
            headers = {"authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(
                base_url=listener.url, headers=headers, trust_env=False, timeout=120
            ) as http:
                yield Served(local, listener, key, http)
        listening.close()


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str, Any]]:
    """(event, id, data) of a stream; comments are (`:`, "", text)."""
    fields: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.partition(": ")
        if line and not name:
            yield ":", "", value
        elif line:
            fields[name] = value
        elif fields.keys() == {"retry"}:
            fields = {}  # how soon to come back: a client's own
        elif fields:
            yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
            fields = {}


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 120.0) -> None:
    """Wait until the condition holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def thread(function: Any, *arguments: Any, **more: Any) -> Any:
    """Call blocking client code while this loop serves it."""
    async with asyncio.timeout(120):
        return await asyncio.to_thread(function, *arguments, **more)
