"""A queue that is full says so, and takes runs again when there is room."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.served import ECHO, FUNCTION, Served, served, until

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


async def test_a_request_that_was_accepted_finds_its_run_in_a_full_queue(api: Served) -> None:
    keyed = {"agent": "one", "idempotency_key": "mine"}
    first = await api.json("POST", "/v1/runs", keyed, status=201)
    for _ in range(2):
        await api.json("POST", "/v1/runs", {"agent": "one"}, status=201)
    assert (await api.json("POST", "/v1/runs", keyed))["id"] == first["id"]
    await api.problem("POST", "/v1/runs", {**keyed, "input": 1}, status=409)
    await api.problem("POST", "/v1/runs", {**keyed, "idempotency_key": "other"}, status=429)


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


FAILS = {"agent.py": "def work(task): raise ValueError('no')"}
NO_RETRIES = f"{FUNCTION}\nretries = 0"


async def test_a_bulk_replay_does_what_has_room_and_goes_on_when_it_is_given_again(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backpressure, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(backpressure, "SHARE", 1e9)
    await api.local.deploy("bad", FAILS, toml=NO_RETRIES)
    api.local.start_worker()
    failed = {(await api.local.run("bad")).id for _ in range(4)}
    await api.local.stop_worker()
    await api.json("POST", "/v1/runs", {"agent": "bad"}, status=201)
    path = "/v1/agents/bad/dead-letters/replay"
    done = await api.json("POST", path, {})
    made = {each["run_id"]: each["replay"] for each in done if each["replay"]}
    refused = {each["run_id"]: each["error"] for each in done if not each["replay"]}
    assert (len(made), made.keys() | refused.keys()) == (2, failed)
    assert set(refused.values()) == {"3 runs of bad wait already"}
    letters = (await api.json("GET", "/v1/dead-letters?agent=bad"))["items"]
    assert {each["run_id"] for each in letters} == refused.keys()
    for run_id in made.values():
        await api.json("POST", f"/v1/runs/{run_id}/cancel")
    again = await api.json("POST", path, {})
    assert {each["run_id"] for each in again if each["replay"]} == refused.keys()
    assert (await api.json("GET", "/v1/dead-letters?agent=bad"))["items"] == []
    assert len((await api.json("GET", "/v1/runs?agent=bad&state=pending"))["items"]) == 3


HOURLY = {"agent": "one", "name": "hourly", "cron": "0 * * * *"}


async def test_a_backfill_says_which_ticks_found_no_room_and_goes_on_with_them(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backpressure, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(backpressure, "SHARE", 1e9)
    await api.json("POST", "/v1/schedules", {**HOURLY, "paused": True}, status=201)
    first = (await api.json("POST", "/v1/runs", {"agent": "one"}, status=201))["id"]
    path, span = "/v1/schedules/one/hourly", {"since": "2026-01-01T00:00:00Z", "until": "2026-01-01T03:00:00Z"}
    assert (await api.json("POST", f"{path}/backfill", {**span, "dry_run": True}))["refused"] == 0
    done = await api.json("POST", f"{path}/backfill", span)
    assert (done["total"], done["runs"], done["refused"]) == (4, 2, 2)
    assert [bool(tick["run_id"]) for tick in done["ticks"]] == [True, True, False, False]
    full = "3 runs of one wait already"
    assert [tick["error"] for tick in done["ticks"]] == [None, None, full, full]
    (noted,) = (await api.json("GET", "/v1/audit?action=schedule.backfill"))["items"]
    assert noted["details"]["runs"] == 2
    for method, rest, body in (("POST", "backfill", span), ("POST", "trigger", {})):
        assert (await api.problem(method, f"{path}/{rest}", body, status=429))["code"] == "queue_full"
    await api.json("POST", f"/v1/runs/{first}/cancel")
    again = await api.json("POST", f"{path}/backfill", span)
    assert (again["runs"], again["refused"], again["ticks"][0]["already"]) == (
        1,
        1,
        done["ticks"][0]["run_id"],
    )


async def test_a_tick_that_finds_no_room_says_so_and_runs_when_there_is_some(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backpressure, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(backpressure, "SHARE", 1e9)
    waiting = [(await api.json("POST", "/v1/runs", {"agent": "one"}, status=201))["id"] for _ in range(3)]
    more = {"cron": "* * * * * *", "missed": "all", "overlap": "allow"}
    await api.json("POST", "/v1/schedules", {**HOURLY, **more}, status=201)

    async def ticks() -> Any:
        return (await api.json("GET", "/v1/schedules/one/hourly/ticks"))["items"][::-1]

    await until(ticks)
    first = (await ticks())[0]
    assert (first["outcome"], first["run_id"], first["blocked_by"]) == ("skipped", None, None)
    assert first["reason"] == "the queue was full: 3 runs of one wait already"
    await api.json("POST", f"/v1/runs/{waiting[0]}/cancel")

    async def fired() -> bool:
        return bool((await ticks())[0]["outcome"] == "fired")

    await until(fired)
    after = await ticks()
    assert after[0]["tick"] == first["tick"]
    assert after[0]["reason"] == first["reason"]
    assert {tick["outcome"] for tick in after[1:]} <= {"skipped"}
    await api.json("POST", "/v1/schedules/one/hourly/pause", {})
    run = await api.json("GET", f"/v1/runs/{after[0]['run_id']}")
    assert (run["state"], run["tick"]) == ("pending", first["tick"])
