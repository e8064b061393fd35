"""A queue that is full says so, and takes runs again when there is room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import ECHO, FUNCTION, Served, served

from ao.control import backpressure

LIMITS = {"AO_MAX_QUEUED": "5", "AO_MAX_QUEUED_PER_AGENT": "3"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, LIMITS) as api:
        for name in ("one", "two"):
            await api.local.deploy(name, ECHO, toml=FUNCTION)
        yield api


async def test_each_agent_and_all_together_have_a_limit(api: Served) -> None:
    for _ in range(3):
        await api.json("POST", "/v1/runs", {"agent": "one"}, status=201)
    answer = await api.http.post("/v1/runs", json={"agent": "one"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    problem = answer.json()
    assert (problem["code"], problem["details"]["agent"], problem["details"]["limit"]) == (
        "queue_full",
        "one",
        3,
    )
    for _ in range(2):
        await api.json("POST", "/v1/runs", {"agent": "two"}, status=201)
    problem = await api.problem("POST", "/v1/runs", {"agent": "two"}, status=429)
    assert problem["details"]["agent"] is None
    assert len((await api.json("GET", "/v1/runs"))["items"]) == 5


async def test_replays_are_new_runs_like_others(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(backpressure, "SHARE", 1e9)
    first = (await api.json("POST", "/v1/runs", {"agent": "one"}, status=201))["id"]
    await api.json("POST", f"/v1/runs/{first}/cancel")
    for _ in range(3):
        await api.json("POST", "/v1/runs", {"agent": "one"}, status=201)
    problem = await api.problem("POST", f"/v1/runs/{first}/replay", {"begin": "start"}, status=429)
    assert problem["details"]["agent"] == "one"


async def test_there_is_room_again_when_runs_have_left(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(backpressure, "SHARE", 1e9)
    runs = [await api.json("POST", "/v1/runs", {"agent": "one"}, status=201) for _ in range(3)]
    await api.problem("POST", "/v1/runs/stream", {"agent": "one"}, status=429)
    await api.json("POST", f"/v1/runs/{runs[0]['id']}/cancel")
    await api.json("POST", "/v1/runs", {"agent": "one"}, status=201)


async def test_zero_is_no_limit(tmp_path: Path) -> None:
    async with served(tmp_path, {"AO_MAX_QUEUED": "0", "AO_MAX_QUEUED_PER_AGENT": "0"}) as api:
        await api.local.deploy("one", ECHO, toml=FUNCTION)
        for _ in range(4):
            await api.json("POST", "/v1/runs", {"agent": "one"}, status=201)
