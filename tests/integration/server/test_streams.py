"""Streams that idle, hints that get lost, servers that stop, clients that leave."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.served import ECHO, FUNCTION, Served, frames, served, until

from ao.server import stream as streams
from ao.server.app import create_app
from ao.server.closing import Closing
from ao.server.listen import Listener, bind
from ao.store.sql import postgres

SSE = {"accept": "text/event-stream"}
IDLE_STREAMS = 500


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as api:
        await api.local.deploy("echo", ECHO, toml=FUNCTION)
        yield api


def allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


async def pending_run(api: Served) -> str:
    return str((await api.json("POST", "/v1/runs", {"agent": "echo"}, status=201))["id"])


async def test_an_idle_stream_has_heartbeats(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "IDLE_SECONDS", (0.01, 0.02))
    path = f"/v1/runs/{await pending_run(api)}/events"
    async with api.http.stream("GET", path, headers=SSE) as answer:
        stream = frames(answer.aiter_lines())
        assert (await anext(stream))[0] == "state"
        assert [(await anext(stream))[2] for _ in range(3)] == ["heartbeat"] * 3


async def test_an_event_whose_hint_was_lost_still_arrives(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "IDLE_SECONDS", (0.01, 0.02))
    run_id = await pending_run(api)
    async with api.http.stream("GET", f"/v1/runs/{run_id}/events", headers=SSE) as answer:
        stream = frames(answer.aiter_lines())
        await anext(stream)
        await api.services.store.runs.cancel(run_id, "nobody is told")  # type: ignore[arg-type]
        got = [frame async for frame in stream if frame[2] != "heartbeat"]
    assert [(kind, seq) for kind, seq, _ in got] == [("state", "2"), ("end", ""), (":", "")]


@pytest.fixture(params=["sqlite", "postgres"])
async def either(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    """On either database, with a pool of five for what is read."""
    variables = {}
    if request.param == "postgres":
        variables["AO_DATABASE_URL"] = request.getfixturevalue("postgres_url")
        assert postgres._READERS == 5
    async with served(tmp_path, variables) as api:
        await api.local.deploy("echo", ECHO, toml=FUNCTION)
        yield api


async def test_many_idle_streams_leave_the_server_free(either: Served) -> None:
    """They hold no connection to the database and no thread; each gets its event when it comes."""
    api = either
    allow_files(IDLE_STREAMS * 2 + 500)  # both ends are in this process
    run_id = await pending_run(api)
    limits = httpx.Limits(max_connections=None)
    headers = {**SSE, "authorization": f"Bearer {api.key}"}
    async with (
        httpx.AsyncClient(
            base_url=api.url, headers=headers, limits=limits, trust_env=False, timeout=60
        ) as many,
        AsyncExitStack() as stack,
    ):
        opened = []
        for _ in range(IDLE_STREAMS):
            answer = await stack.enter_async_context(many.stream("GET", f"/v1/runs/{run_id}/stream"))
            opened.append(frames(answer.aiter_lines()))
        for stream in opened:
            await anext(stream)
        assert len(opened) == IDLE_STREAMS
        for _ in range(20):
            assert (await api.json("GET", f"/v1/runs/{run_id}"))["state"] == "pending"
        await api.json("POST", f"/v1/runs/{run_id}/cancel")
        for stream in opened:
            assert [kind async for kind, _, text in stream if text != "heartbeat"] == ["state", "end", ":"]


async def test_a_client_that_leaves_ends_its_stream(api: Served) -> None:
    run_id = await pending_run(api)
    bus: Any = api.services.bus
    async with api.http.stream("GET", f"/v1/runs/{run_id}/events", headers=SSE) as answer:
        await anext(frames(answer.aiter_lines()))
        assert f"run:{run_id}" in bus._topics

    async def unsubscribed() -> bool:
        return f"run:{run_id}" not in bus._topics

    await until(unsubscribed)


async def test_open_streams_do_not_hold_up_the_end_of_the_server(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "IDLE_SECONDS", (3600, 3600))
    run_id = await pending_run(api)
    services = replace(api.services, closing=Closing())
    listening = bind("127.0.0.1", 0)
    headers = {**SSE, "authorization": f"Bearer {api.key}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
        async with (
            asyncio.timeout(60),
            Listener(create_app(services), listening, services.closing) as second,
        ):
            request = http.build_request("GET", f"{second.url}/v1/runs/{run_id}/events")
            answer = await http.send(request, stream=True)
            stream = frames(answer.aiter_lines())
            await anext(stream)
        assert [kind async for kind, _, _ in stream] in ([], [":"])
        await answer.aclose()
    listening.close()


async def test_an_event_id_that_is_none_is_refused(api: Served) -> None:
    path = f"/v1/runs/{await pending_run(api)}/events"
    for wrong in ("x", "-1", "", "1e3", "9" * 40):
        answer = await api.http.get(path, headers=[*SSE.items(), ("last-event-id", wrong)])
        assert answer.status_code == 422, wrong
        assert answer.json()["problems"][0]["field"] == "Last-Event-ID"


async def test_a_stream_of_a_run_that_is_not_there_is_a_problem(api: Served) -> None:
    missing = "01936f2e-9c4b-7d3a-8f00-0123456789ab"
    answer = await api.http.get(f"/v1/runs/{missing}/events", headers=SSE)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_defect_is_a_problem_with_an_id_to_look_for(
    api: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(_name: str) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(api.services.deployments, "agent", broken)
    problem = await api.problem("GET", "/v1/agents/echo", status=500, headers={"x-request-id": "look-here"})
    assert problem["code"] == "internal"
    assert "look-here" in problem["hint"]
    assert "secret detail" not in str(problem)
    logged = capsys.readouterr().err
    assert logged.count("ZeroDivisionError: secret detail") == 1
    assert "look-here" in logged


async def test_a_hundred_submits_at_once_with_one_key_make_one_run(api: Served) -> None:
    answers = await asyncio.gather(
        *(api.http.post("/v1/runs", json={"agent": "echo", "idempotency_key": "k"}) for _ in range(100))
    )
    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert [answer.status_code for answer in answers].count(201) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
