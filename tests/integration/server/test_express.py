"""The short way of two operations answers as the long way does."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.served import ECHO, FUNCTION, Served, served

from ao.wiring import application

RUNS = "/v1/runs"
JSON = {"content-type": "application/json"}
UNKNOWN = f"{RUNS}/01936f2e-9c4b-7d3a-8f00-0123456789ab"


NOT_PLAIN: list[tuple[str, bytes, dict[str, str]]] = [
    (RUNS, b"", JSON),
    (RUNS, b"{", JSON),
    (RUNS, b"[]", JSON),
    (RUNS, b'{"agent":"echo","input":NaN}', JSON),
    (RUNS, b'{"agent":"echo","input":"\\ud800"}', JSON),
    (RUNS, b"[" * 100_000, JSON),
    (RUNS, b'{"agnet":"echo","priority":"high"}', JSON),
    (RUNS, b'{"agent":"Echo"}', JSON),
    (RUNS, b'{"agent":"echo","version":0}', JSON),
    (RUNS, b'{"agent":"echo"}', {"content-type": "text/plain"}),
    (RUNS, b'{"agent":"echo"}', {}),
    (RUNS, b'{"agent":"echo"}', {"content-type": "application/json; charset=utf-8"}),
    (f"{RUNS}?wait=61", b'{"agent":"echo"}', JSON),
    (f"{RUNS}?wait=-1", b'{"agent":"echo"}', JSON),
    (f"{RUNS}?wait=", b'{"agent":"echo"}', JSON),
    (f"{RUNS}?wait=0&wait=0", b'{"agent":"echo"}', JSON),
    (f"{RUNS}?wiat=1", b'{"agent":"echo"}', JSON),
    (f"{RUNS}/", b'{"agent":"echo"}', JSON),
]


class Counted:
    """Counts what goes the long way."""

    passed = 0

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        Counted.passed += 1
        await self._app(scope, receive, send)


class Ways:
    """One platform behind two applications: as it is, and without the short way."""

    def __init__(self, api: Served) -> None:
        self.api = api
        both, long = application(api.services), application(api.services)
        both.user_middleware.append(Middleware(Counted))
        long.user_middleware = [each for each in long.user_middleware if "Express" not in repr(each)]
        assert len(long.user_middleware) == 1
        self.both, self.long = self._client(both), self._client(long)

    def _client(self, app: ASGIApp) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.api.key}"}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers=headers
        )

    async def compare(self, method: str, path: str, **more: Any) -> tuple[Any, bool]:
        """The answer, which is the same both ways, and whether it came the short way."""
        before = Counted.passed
        short = _seen(await self.both.request(method, path, **more))
        is_short = Counted.passed == before
        assert short == _seen(await self.long.request(method, path, **more))
        return short, is_short


def _seen(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """Without what is new in every answer."""
    document = json.loads(answer.content)
    headers = {**answer.headers}
    assert headers.pop("x-request-id")
    if "location" in headers:
        assert headers.pop("location") == f"{RUNS}/{document['id']}"
    for name in ("id", "created_at", "lineage", "request_id"):
        document.pop(name, None)
        document.get("details", {}).pop(name, None)
    return answer.status_code, headers, document


@pytest.fixture
async def ways(tmp_path: Path) -> AsyncIterator[Ways]:
    async with served(tmp_path) as api:
        await api.local.deploy("echo", ECHO, toml=FUNCTION)
        yield Ways(api)


async def test_what_is_plainly_right_goes_the_short_way_to_the_same_answer(ways: Ways) -> None:
    right: list[tuple[str, object]] = [
        (RUNS, {"agent": "echo"}),
        (
            RUNS,
            {"agent": "echo", "input": {"é": [1, 2.5, None, "\u2028"]}, "priority": 3, "environment": "prod"},
        ),
        (RUNS, {"agent": "echo", "version": 1}),
        (f"{RUNS}?wait=0.05", {"agent": "echo", "input": "x" * 200_000}),
        (f"{RUNS}?wait=0", {"agent": "echo", "version": "1", "priority": 2.0}),
    ]
    for path, body in right:
        (status, _, document), is_short = await ways.compare("POST", path, json=body)
        assert (status, document["state"], is_short) == (201, "pending", True)
    run = await ways.api.local.submit("echo", {"n": 1})
    for query in ("", "?wait=0.01", "?wait=00"):
        (status, _, document), is_short = await ways.compare("GET", f"{RUNS}/{run}{query}")
        assert (status, document["input"], is_short) == (200, {"n": 1}, True)


async def test_errors_behind_the_request_are_the_same_both_ways(ways: Ways) -> None:
    for expected, path, body in (
        (404, RUNS, {"agent": "nobody"}),
        (404, RUNS, {"agent": "echo", "version": 9}),
        (409, RUNS, {"agent": "echo", "environment": "elsewhere"}),
    ):
        (status, _, document), is_short = await ways.compare("POST", path, json=body)
        assert (status, is_short) == (expected, True), document
    assert (await ways.compare("GET", UNKNOWN))[0][0] == 404
    reader = {"authorization": f"Bearer {await ways.api.key_of('viewer')}"}
    assert (await ways.compare("POST", RUNS, json={"agent": "echo"}, headers=reader))[0][0] == 403
    nobody = {"authorization": "Bearer ao_nothing"}
    assert (await ways.compare("GET", UNKNOWN, headers=nobody))[0][0] == 401


async def test_all_else_goes_the_long_way_with_all_that_came(ways: Ways) -> None:
    for path, content, headers in NOT_PLAIN:
        (status, _, document), is_short = await ways.compare("POST", path, content=content, headers=headers)
        assert not is_short
        assert status >= 400 or document["agent"] == "echo"


async def test_bodies_of_unknown_length_keys_of_repeats_and_of_some_agents_go_the_long_way(ways: Ways) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"agent":'
        yield b'"echo"}'

    before = Counted.passed
    answer = await ways.both.post(RUNS, content=pieces(), headers=JSON)
    assert (answer.status_code, Counted.passed) == (201, before + 1)
    once = {**JSON, "idempotency-key": "once"}
    repeated = [await ways.both.post(RUNS, content=b'{"agent":"echo"}', headers=once) for _ in range(2)]
    assert [answer.status_code for answer in repeated] == [201, 200]
    for agents, expected in ((["echo"], 201), (["other"], 403)):
        key = {"authorization": f"Bearer {await ways.api.key_of('operator', agents)}"}
        (status, _, _), is_short = await ways.compare("POST", RUNS, json={"agent": "echo"}, headers=key)
        assert (status, is_short) == (expected, False)


async def test_a_path_that_is_not_quite_one_of_a_run_goes_the_long_way(ways: Ways) -> None:
    for path in (f"{UNKNOWN}/", UNKNOWN.upper().replace("/V1/RUNS", RUNS), f"{UNKNOWN}?wait=x", f"{UNKNOWN}0"):
        (status, _, _), is_short = await ways.compare("GET", path)
        assert status in (404, 422)
        assert not is_short
