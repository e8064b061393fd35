"""Schedules over HTTP: made, changed, paused, triggered, backfilled, followed."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.served import ECHO, FUNCTION, Served, served, until

ALL, ONE = "/v1/schedules", "/v1/schedules/echo/nightly"
TOLD = "import os, time\ndef work(task):\n    time.sleep(0.2)\n    return os.environ['AO_SCHEDULED_AT']"
SCHEMA = 'input_schema = { type = "object", properties = { n = { type = "integer" } } }'
NIGHTLY = {"agent": "echo", "name": "nightly", "cron": "0 3 * * *"}
EVERY_SECOND = {**NIGHTLY, "cron": "@every 1s"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as api:
        await api.local.deploy("echo", ECHO, toml=f"{FUNCTION}\n{SCHEMA}")
        yield api


async def history(api: Served, path: str = ONE) -> list[dict[str, Any]]:
    """Oldest first."""
    return list(reversed((await api.json("GET", f"{path}/ticks?limit=1000"))["items"]))


async def until_ticks(api: Served, count: int) -> list[dict[str, Any]]:
    async def there() -> bool:
        return len(await history(api)) >= count

    await until(there)
    return await history(api)


async def test_a_schedule_is_made_changed_paused_and_removed(api: Served) -> None:
    wanted = {
        **NIGHTLY,
        "timezone": "Europe/Berlin",
        "input": {"n": 1},
        "overlap": "queue",
        "missed": "all",
        "catch_up_seconds": 3600,
        "end_at": "2999-01-01T00:00:00Z",
        "priority": 7,
    }
    made = await api.json("POST", ALL, wanted, status=201)
    assert {name: made[name] for name in wanted} == wanted
    assert (made["declared"], made["actor"], made["problem"], made["last"]) == (False, "key:local", "", None)
    assert datetime.fromisoformat(made["next_at"]) > datetime.now(UTC)
    problem = await api.problem("POST", ALL, wanted, status=409)
    assert "update" in problem["hint"]
    (listed,) = await api.json("GET", f"{ALL}?agent=echo")
    assert {**listed, "input": {"n": 1}} == made == await api.json("GET", ONE)

    changed = await api.json("PATCH", ONE, {"cron": "@every 2h", "end_at": None, "input": {"n": 2}})
    assert (changed["cron"], changed["end_at"], changed["input"]) == ("@every 2h", None, {"n": 2})
    assert (changed["timezone"], changed["overlap"], changed["catch_up_seconds"]) == (
        "Europe/Berlin",
        "queue",
        3600,
    )
    assert datetime.fromisoformat(changed["next_at"]) - datetime.now(UTC) <= timedelta(hours=2)

    paused = await api.json("POST", f"{ONE}/pause", {"reason": "too noisy"})
    assert (paused["paused"], paused["pause"]["reason"], paused["pause"]["actor"]) == (
        True,
        "too noisy",
        "key:local",
    )
    assert (await api.json("POST", f"{ONE}/resume"))["pause"] is None
    assert (await api.http.delete(ONE)).status_code == 204
    await api.problem("GET", ONE, status=404)
    actions = [entry["action"] for entry in (await api.json("GET", "/v1/audit?action=schedule."))["items"]]
    assert actions == [f"schedule.{done}" for done in ("delete", "resume", "pause", "update", "create")]


async def test_what_makes_no_sense_is_refused_with_its_field(api: Served) -> None:
    wrongs: list[tuple[dict[str, object], str, int]] = [
        ({"input": {"n": "two"}}, "input.n", 422),
        ({"cron": "61 * * * *"}, "cron", 422),
        ({"cron": "@every soon"}, "cron", 422),
        ({"timezone": "Europe/Nowhere"}, "timezone", 422),
        ({"overlap": "sometimes"}, "overlap", 422),
        ({"catchup": 3}, "catchup", 422),
        ({"name": "cron"}, "name", 422),
        ({"name": "Nightly"}, "name", 422),
        ({"end_at": "2001-01-01T00:00:00Z"}, "end_at", 422),
        ({"start_at": 12345}, "start_at", 422),
        ({"agent": "ehco"}, "echo", 404),
        ({"environment": "staging"}, "staging", 409),
    ]
    for wrong, field, status in wrongs:
        problem = await api.problem("POST", ALL, {**NIGHTLY, **wrong}, status=status)
        told = [entry["field"] for entry in problem["problems"]] or [f"{problem['detail']} {problem['hint']}"]
        assert any(field in text for text in told), problem
    assert await api.json("GET", ALL) == []


async def test_a_change_is_checked_like_a_new_one(api: Served) -> None:
    made = await api.json("POST", ALL, NIGHTLY, status=201)
    for wrong in ({"cron": None}, {"cron": "x"}, {"input": {"n": "two"}}, {"name": "other"}):
        await api.problem("PATCH", ONE, wrong, status=422)
    assert await api.json("GET", ONE) == made
    await api.problem("PATCH", f"{ALL}/echo/nigthly", {"priority": 1}, status=404)


async def test_a_declared_schedule_is_its_release_s_but_for_the_pause(api: Served) -> None:
    declared = f"{ALL}/echo/cron"
    await api.local.deploy(
        "echo", ECHO, toml=f'{FUNCTION}\ncron = "0 5 * * *"\noverlap = "queue"\ncatch_up = "1h"'
    )
    await api.local.deploy("echo", ECHO, toml=f'{FUNCTION}\ncron = "0 6 * * *"')
    for method in ("PATCH", "DELETE"):
        problem = await api.problem(method, declared, {"cron": "1 1 * * *"}, status=409)
        assert "ao.toml" in problem["hint"]
    await api.json("POST", f"{declared}/pause", {"reason": "holidays"})
    await api.json("POST", "/v1/agents/echo/rollback", {"to": 2})
    back = await api.json("GET", declared)
    assert (back["cron"], back["overlap"], back["catch_up_seconds"]) == ("0 5 * * *", "queue", 3600)
    assert back["pause"]["reason"] == "holidays"
    await api.local.deploy("echo", ECHO, toml=FUNCTION)
    assert await api.json("GET", ALL) == []
    await api.json("POST", "/v1/agents/echo/rollback", {"to": 3})
    again = await api.json("GET", declared)
    assert (again["id"], again["cron"], again["overlap"]) == (back["id"], "0 6 * * *", "skip")
    assert again["pause"]["reason"] == "holidays"


async def test_ticks_are_skipped_while_a_run_goes_on_and_say_so(api: Served) -> None:
    await api.json("POST", ALL, EVERY_SECOND, status=201)
    first, second = (await until_ticks(api, 2))[:2]
    assert (first["outcome"], first["blocked_by"]) == ("fired", None)
    assert (second["outcome"], second["run_id"], second["blocked_by"]) == ("skipped", None, first["run_id"])
    assert first["run_id"] in second["reason"]
    run = await api.json("GET", f"/v1/runs/{first['run_id']}")
    schedule = await api.json("GET", ONE)
    assert (run["schedule_id"], run["tick"]) == (schedule["id"], first["tick"])
    assert (schedule["last_run_id"], schedule["last"]["outcome"]) == (run["id"], "skipped")
    await api.json("POST", f"/v1/runs/{run['id']}/cancel")

    async def fires_again() -> bool:
        return [tick["outcome"] for tick in await history(api)].count("fired") == 2

    await until(fires_again)
    await api.json("POST", f"{ONE}/pause", {})
    ticks = [datetime.fromisoformat(tick["tick"]) for tick in await history(api)]
    assert [second - first for first, second in pairwise(ticks)] == [timedelta(seconds=1) for _ in ticks[1:]]


async def test_a_trigger_runs_now_and_tells_what_is_in_its_way(api: Served) -> None:
    await api.json("POST", ALL, {**NIGHTLY, "input": {"n": 3}, "paused": True}, status=201)
    made = await api.json("POST", f"{ONE}/trigger", {}, status=201)
    run = await api.json("GET", f"/v1/runs/{made['run_id']}")
    assert (run["input"], run["actor"]) == ({"n": 3}, "key:local")
    problem = await api.problem("POST", f"{ONE}/trigger", {}, status=409)
    assert problem["details"]["run_id"] == run["id"]
    await api.json("POST", f"{ONE}/trigger", {"overlap": "cancel_previous"}, status=201)
    assert (await api.json("GET", f"/v1/runs/{run['id']}"))["state"] == "cancelled"
    assert [tick["outcome"] for tick in await history(api)] == ["triggered", "triggered"]


async def test_a_backfill_makes_the_runs_of_past_ticks_once(api: Served) -> None:
    await api.json("POST", ALL, {**NIGHTLY, "timezone": "Europe/Berlin"}, status=201)
    days = {"since": "2026-03-27T00:00:00Z", "until": "2026-03-31T00:00:00Z"}
    dry = await api.json("POST", f"{ONE}/backfill", {**days, "dry_run": True})
    assert (dry["total"], dry["runs"], [tick["run_id"] for tick in dry["ticks"]]) == (4, 4, [None] * 4)
    assert [tick["tick"][11:16] for tick in dry["ticks"]] == ["02:00", "02:00", "01:00", "01:00"]
    assert await history(api) == []
    done = await api.json("POST", f"{ONE}/backfill", days)
    made = [tick["run_id"] for tick in done["ticks"]]
    assert (done["runs"], [tick["run_id"] for tick in await history(api)]) == (4, made)
    run = await api.json("GET", f"/v1/runs/{made[2]}")
    assert run["tick"] == done["ticks"][2]["tick"] == "2026-03-29T01:00:00Z"
    again = await api.json("POST", f"{ONE}/backfill", {**days, "since": "2026-03-26T00:00:00Z"})
    assert (again["total"], again["runs"]) == (5, 1)
    assert [tick["already"] for tick in again["ticks"]] == [None, *made]
    await api.services.store.retention.drop_ticks(await api.services.store.schedules.now_us(), 100)
    unknown = await api.problem("POST", f"{ONE}/backfill", days, status=422)
    assert "no longer known" in unknown["detail"]
    forced = await api.json("POST", f"{ONE}/backfill", {**days, "force": True})
    assert forced["runs"] == 4


async def test_a_backfill_is_bounded(api: Served) -> None:
    await api.json("POST", ALL, NIGHTLY, status=201)
    wrongs: list[tuple[dict[str, object], str, str]] = [
        ({"since": "2026-01-01T00:00:00Z", "limit": 10}, "limit", "ticks, and the limit is 10"),
        ({"since": "2020-01-01T00:00:00Z", "limit": 1000}, "limit", "more than 1,000"),
        ({"since": "2026-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z"}, "until", "future"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since", "after"),
        ({"since": "yesterday"}, "since", "write it as"),
    ]
    for wrong, field, words in wrongs:
        problem = await api.problem("POST", f"{ONE}/backfill", wrong, status=422)
        assert problem["problems"][0]["field"] == field
        assert words in problem["problems"][0]["message"]
    assert await history(api) == []


async def test_the_next_ticks_follow_daylight_saving(api: Served) -> None:
    await api.json("POST", ALL, {**NIGHTLY, "cron": "30 2 28 3 *", "timezone": "Europe/Berlin"}, status=201)
    ticks = await api.json("GET", f"{ONE}/next?count=30")
    assert len(ticks) == 30
    of_sundays = [tick for tick in ticks if datetime.fromisoformat(tick["local"]).weekday() == 6]
    assert of_sundays  # the clocks change that night
    for tick in of_sundays:
        day = tick["local"][:10]
        assert tick == {"at": f"{day}T01:00:00Z", "local": f"{day}T03:00:00+02:00"}
    others = {tick["local"][10:] for tick in ticks if tick not in of_sundays}
    assert others <= {"T02:30:00+01:00", "T02:30:00+02:00"}


async def test_a_schedule_that_cannot_be_computed_says_so(api: Served, tmp_path: Path) -> None:
    await api.json("POST", ALL, NIGHTLY, status=201)
    database = sqlite3.connect(tmp_path / "home" / "ao.db")
    with database:
        database.execute("UPDATE schedule SET timezone = 'No/Where'")
    database.close()
    (listed,) = await api.json("GET", ALL)
    assert "No/Where" in listed["problem"]
    problem = await api.problem("GET", f"{ONE}/next", status=422)
    assert problem["problems"][0]["field"] == "timezone"
    assert (await api.json("PATCH", ONE, {"timezone": "UTC"}))["problem"] == ""


async def test_a_tick_whose_input_the_live_version_refuses_makes_no_run(api: Served) -> None:
    await api.json("POST", ALL, {**EVERY_SECOND, "input": {"n": 1}, "paused": True}, status=201)
    await api.local.deploy("echo", ECHO, toml=f"{FUNCTION}\n{SCHEMA.replace('integer', 'string')}")
    await api.json("POST", f"{ONE}/resume")
    tick = (await until_ticks(api, 1))[0]
    assert (tick["outcome"], tick["run_id"], tick["blocked_by"]) == ("skipped", None, None)
    assert "input.n" in tick["reason"]
    await api.problem("POST", f"{ONE}/trigger", {}, status=422)


async def test_history_comes_in_pages(api: Served) -> None:
    await api.json("POST", ALL, NIGHTLY, status=201)
    days = {"since": "2026-05-01T00:00:00Z", "until": "2026-05-08T00:00:00Z"}
    await api.json("POST", f"{ONE}/backfill", days)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await api.json(
            "GET", f"{ONE}/ticks?limit=3&outcome=backfilled" + (cursor and f"&cursor={cursor}")
        )
        seen += [tick["tick"] for tick in page["items"]]
        cursor = page["next"]
    assert seen == [f"2026-05-0{day}T03:00:00Z" for day in (7, 6, 5, 4, 3, 2, 1)]
    await api.problem("GET", f"{ONE}/ticks?cursor=eA", status=422)


async def test_runs_know_their_tick_and_go_on_one_after_the_other(tmp_path: Path) -> None:
    async with served(tmp_path, worker=True) as api:
        await api.local.deploy("echo", {"agent.py": TOLD}, toml=FUNCTION)
        await api.json("POST", ALL, {**NIGHTLY, "overlap": "queue"}, status=201)
        body = {"since": "2026-05-01T00:00:00Z", "until": "2026-05-04T00:00:00Z"}
        ticks = (await api.json("POST", f"{ONE}/backfill", body))["ticks"]
        now = (await api.json("POST", f"{ONE}/trigger", {}, status=201))["run_id"]
        wait = await api.services.store.gates.wait_of(now)
        assert wait is None or wait.ahead == 0  # a run of now goes before those of the past
        runs = [
            await api.json("GET", f"/v1/runs/{run_id}?wait=60")
            for run_id in (*(tick["run_id"] for tick in ticks), now)
        ]
        assert [run["output"] for run in runs[:3]] == [f"2026-05-0{day}T03:00:00Z" for day in (1, 2, 3)]
        assert [run["tick"] for run in runs[:3]] == [run["output"] for run in runs[:3]]
        spans = sorted((run["started_at"], run["finished_at"]) for run in runs)
        assert all(first[1] <= second[0] for first, second in pairwise(spans)), spans
