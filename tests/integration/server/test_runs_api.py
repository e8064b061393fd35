"""Runs over HTTP, on the real store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import ECHO, FUNCTION, Served, frames, served

RUNS = "/v1/runs"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as api:
        yield api


@pytest.fixture
async def agent(api: Served) -> str:
    await api.local.deploy("echo", ECHO, toml=FUNCTION)
    return "echo"


async def test_a_run_is_accepted_once_per_idempotency_key(api: Served, agent: str) -> None:
    body = {"agent": agent, "input": {"n": 1}, "idempotency_key": "once"}
    first = await api.json("POST", RUNS, body, status=201)
    assert first["state"] == "pending"
    assert first["input"] == {"n": 1}
    assert first["why_pending"]
    assert (await api.json("POST", RUNS, body, status=200))["id"] == first["id"]
    problem = await api.problem("POST", RUNS, {**body, "input": 2}, status=409)
    assert problem["code"] == "idempotency_conflict"


async def test_the_idempotency_key_may_come_as_a_header_and_the_answer_says_where_the_run_is(
    api: Served, agent: str
) -> None:
    body, header = {"agent": agent, "input": {"n": 2}}, {"Idempotency-Key": "header-1"}
    answers = [await api.http.post(RUNS, json=body, headers=header) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert {answer.headers["location"] for answer in answers} == {f"{RUNS}/{answers[0].json()['id']}"}
    clash = await api.problem("POST", RUNS, {**body, "idempotency_key": "other"}, status=409, headers=header)
    assert clash["problems"][0]["field"] == "idempotency_key"


async def test_pages_have_every_run_once_newest_first(api: Served, agent: str) -> None:
    made = [(await api.json("POST", RUNS, {"agent": agent}, status=201))["id"] for _ in range(7)]
    found, cursor = [], None
    while True:
        query = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        page = await api.json("GET", RUNS, params=query)
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == made[::-1]


async def test_listing_filters_by_state_and_agent(api: Served, agent: str) -> None:
    kept = (await api.json("POST", RUNS, {"agent": agent}, status=201))["id"]
    gone = (await api.json("POST", RUNS, {"agent": agent}, status=201))["id"]
    await api.json("POST", f"{RUNS}/{gone}/cancel")
    pending = await api.json("GET", RUNS, params={"state": "pending", "agent": agent})
    assert [run["id"] for run in pending["items"]] == [kept]
    both = await api.json("GET", f"{RUNS}?state=pending&state=cancelled")
    assert {run["id"] for run in both["items"]} == {kept, gone}


async def test_all_mistakes_of_a_request_are_told_at_once_with_suggestions(api: Served) -> None:
    body = {"agnet": "x", "priority": "high"}
    problem = await api.problem("POST", f"{RUNS}?wiat=1", body, status=422)
    told = {entry["field"]: entry for entry in problem["problems"]}
    assert told["wiat"]["hint"] == "did you mean wait?"
    assert told["agnet"]["hint"] == "did you mean agent?"
    assert told["agent"]["message"] == "is required"
    assert "integer" in told["priority"]["message"]


async def test_an_operation_without_query_refuses_query_parameters(api: Served, agent: str) -> None:
    run = await api.json("POST", RUNS, {"agent": agent}, status=201)
    problem = await api.problem("POST", f"{RUNS}/{run['id']}/cancel?force=1", status=422)
    assert problem["problems"][0]["field"] == "force"


async def test_a_query_parameter_that_is_given_twice_is_refused_unless_it_takes_several(
    api: Served, agent: str
) -> None:
    problem = await api.problem("GET", f"/v1/runs?agent=other&agent={agent}", status=422)
    assert [(each["field"], each["message"]) for each in problem["problems"]] == [
        ("agent", "is given more than once")
    ]
    await api.json("GET", f"/v1/runs?agent={agent}&state=pending&state=running")


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"agent":"echo","input":NaN}', b'{"agent":"echo","input":"\\ud800"}', b"[" * 100_000]
)
async def test_what_is_not_json_is_refused_by_name(api: Served, body: bytes) -> None:
    answer = await api.http.post(RUNS, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_input"


async def test_a_body_without_media_type_is_refused(api: Served) -> None:
    answer = await api.http.post(RUNS, content=b'{"agent":"echo"}')
    assert answer.status_code == 415
    assert "Content-Type" in answer.json()["hint"]


async def test_unknown_paths_and_methods_are_problems_too(api: Served) -> None:
    assert (await api.problem("GET", "/v1/nothing", status=404))["code"] == "not_found"
    answer = await api.http.request("DELETE", RUNS)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == {"GET", "POST"}
    assert answer.json()["status"] == 405


async def test_a_body_that_is_too_large_is_refused_unread(api: Served) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * (1 << 20)

    announced = await api.http.post(
        RUNS, content=b"x" * (35 << 20), headers={"content-type": "application/json"}
    )
    assert announced.status_code == 413
    counted = await api.http.post(RUNS, content=endless(), headers={"content-type": "application/json"})
    assert counted.status_code == 413
    assert counted.json()["status"] == 413


async def test_an_unknown_agent_is_answered_with_the_nearest_name(api: Served, agent: str) -> None:
    problem = await api.problem("POST", RUNS, {"agent": "ecko"}, status=404)
    assert "echo" in problem["hint"]


async def test_a_stream_has_every_event_and_ends_after_the_last(api: Served, agent: str) -> None:
    run = await api.json("POST", RUNS, {"agent": agent}, status=201)
    headers = {"accept": "text/event-stream"}
    async with api.http.stream("GET", f"{RUNS}/{run['id']}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = frames(answer.aiter_lines())
        kind, seq, data = await anext(stream)
        assert (kind, seq, data["data"]["to"]) == ("state", "1", "pending")
        await api.json("POST", f"{RUNS}/{run['id']}/cancel")
        kind, seq, data = await anext(stream)
        assert (seq, data["data"]["to"]) == ("2", "cancelled")
        end = {"run_id": run["id"], "state": "cancelled"}
        assert [frame async for frame in stream] == [("end", "", end), (":", "", "end")]


async def test_a_late_stream_resumes_after_the_last_event_id(api: Served, agent: str) -> None:
    run = await api.json("POST", RUNS, {"agent": agent}, status=201)
    await api.json("POST", f"{RUNS}/{run['id']}/cancel")
    headers = {"accept": "text/event-stream", "last-event-id": "1"}
    async with api.http.stream("GET", f"{RUNS}/{run['id']}/events", headers=headers) as answer:
        got = [frame async for frame in frames(answer.aiter_lines())]
    assert [(kind, seq) for kind, seq, _ in got] == [("state", "2"), ("end", ""), (":", "")]
    headers["last-event-id"] = "2"
    async with api.http.stream("GET", f"{RUNS}/{run['id']}/events", headers=headers) as answer:
        assert [kind async for kind, _, _ in frames(answer.aiter_lines())] == ["end", ":"]


async def test_events_are_json_too(api: Served, agent: str) -> None:
    run = await api.json("POST", RUNS, {"agent": agent}, status=201)
    events = await api.json("GET", f"{RUNS}/{run['id']}/events", params={"after": 0})
    assert [event["seq"] for event in events] == [1]
    assert await api.json("GET", f"{RUNS}/{run['id']}/events", params={"after": 1}) == []


async def test_closing_ends_streams_and_long_polls_at_once(api: Served, agent: str) -> None:
    run = await api.json("POST", RUNS, {"agent": agent}, status=201)
    poll = asyncio.create_task(api.json("GET", f"{RUNS}/{run['id']}", params={"wait": 60}, timeout=60))
    headers = {"accept": "text/event-stream"}
    async with api.http.stream("GET", f"{RUNS}/{run['id']}/events", headers=headers) as answer:
        stream = frames(answer.aiter_lines())
        await anext(stream)
        async with asyncio.timeout(30):
            api.services.closing.close()
            assert [kind async for kind, _, _ in stream] in ([], [":"])
            assert (await poll)["state"] == "pending"


async def test_a_wait_ends_when_the_run_does(api: Served, agent: str) -> None:
    run = await api.json("POST", RUNS, {"agent": agent}, status=201)
    poll = asyncio.create_task(api.json("GET", f"{RUNS}/{run['id']}", params={"wait": 60}, timeout=60))
    await api.json("POST", f"{RUNS}/{run['id']}/cancel")
    async with asyncio.timeout(30):
        assert (await poll)["state"] == "cancelled"
