"""A server that stops: first it says so and still answers, then streams end with a hint to reconnect."""

import asyncio
from pathlib import Path

import pytest
from tests.served import ECHO, FUNCTION, served, until

from ao.server import listen
from ao.server.stream import RECONNECT


async def test_a_server_that_leaves_is_not_ready_answers_and_closes_connections(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        before = await server.http.get("/readyz")
        assert (before.status_code, before.headers.get("connection")) == (200, None)
        server.services.closing.leave()
        after = await server.http.get("/readyz")
        assert (after.status_code, after.headers["connection"]) == (503, "close")
        assert {"name": "server", "status": "failed", "message": "shutting down"} in after.json()["checks"]
        agents = await server.http.get("/v1/agents")
        assert (agents.status_code, agents.headers["connection"]) == (200, "close")


async def test_a_stream_that_is_cut_says_that_another_server_goes_on_with_it(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        await server.local.deploy("echo", ECHO, toml=FUNCTION)
        run_id = await server.local.submit("echo")  # nobody executes it
        headers = {"accept": "text/event-stream"}
        async with server.http.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as answer:
            chunks = answer.aiter_bytes()
            first = b""
            while b"event: state" not in first:
                first += await anext(chunks)
            server.services.closing.leave()
            await asyncio.sleep(0)
            assert not answer.is_closed
            server.services.closing.close()
            rest = b"".join([chunk async for chunk in chunks])
            assert rest.endswith(RECONNECT)
            assert b": end\n" not in rest


async def test_answers_have_the_date_of_now_as_long_as_a_server_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "DATE_SECONDS", 0.05)
    async with served(tmp_path) as server:
        first = (await server.http.get("/livez")).headers["date"]

        async def goes_on() -> bool:
            return (await server.http.get("/livez")).headers["date"] != first

        await until(goes_on)
