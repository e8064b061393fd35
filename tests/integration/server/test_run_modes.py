"""Runs whose caller stays on the line: results, streams, joining again, and what a lost connection does."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.platform import Up
from tests.served import ECHO, FUNCTION, Served, frames, served, thread, until

import ao
from ao.domain.access import Role
from ao.server import stream as streams

PARTS = {"agent.py": "def work(task):\n    for n in range(task):\n        yield n\n    return 'whole'"}
BROKEN = {"agent.py": "def work(task): raise ValueError('no luck')"}
SLEEPY = {"agent.py": "import time\ndef work(task): time.sleep(600)"}
ONCE = f"{FUNCTION}\nretries = 0"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as api:
        yield api


@pytest.fixture
async def idle(tmp_path: Path) -> AsyncIterator[Served]:
    """Without a worker: runs stay pending."""
    async with served(tmp_path) as api:
        await api.local.deploy("echo", ECHO, toml=FUNCTION)
        yield api


async def state_of(api: Served, run_id: str) -> str:
    return str((await api.json("GET", f"/v1/runs/{run_id}"))["state"])


async def until_state(api: Served, run_id: str, state: str) -> None:
    async def reached() -> bool:
        return await state_of(api, run_id) == state

    await until(reached)


async def test_waiting_answers_with_the_result(api: Served) -> None:
    await api.local.deploy("echo", ECHO, toml=FUNCTION)
    answer = await api.http.post("/v1/runs/wait", json={"agent": "echo", "input": [1]}, timeout=60)
    run = answer.json()
    assert (answer.status_code, run["state"], run["output"]) == (200, "completed", [1])
    assert answer.headers["location"] == f"/v1/runs/{run['id']}"


async def test_waiting_for_a_run_that_fails_says_so(api: Served) -> None:
    await api.local.deploy("broken", BROKEN, toml=ONCE)
    run = await api.json("POST", "/v1/runs/wait", {"agent": "broken"}, timeout=60)
    assert (run["state"], run["error"]["message"]) == ("failed", "ValueError: no luck")


async def test_a_long_wait_is_kept_alive(idle: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "IDLE_SECONDS", (0.01, 0.02))
    async with idle.http.stream("POST", "/v1/runs/wait", json={"agent": "echo"}) as answer:
        run_id = answer.headers["location"].rpartition("/")[2]
        body, cancelled = b"", False
        async for chunk in answer.aiter_raw():  # which may hold several signs of life
            body += chunk
            if len(body) >= 3 and not cancelled:
                cancelled = True
                await idle.json("POST", f"/v1/runs/{run_id}/cancel")
    assert body.startswith(b"\n\n\n")
    assert json.loads(body)["state"] == "cancelled"


@pytest.mark.parametrize("mode", ["wait", "stream"])
@pytest.mark.parametrize(("policy", "expected"), [("cancel", "cancelled"), ("continue", "pending")])
async def test_a_lost_connection_does_what_the_request_says(
    idle: Served, mode: str, policy: str, expected: str
) -> None:
    body = {"agent": "echo", "on_disconnect": policy}
    bus: Any = idle.services.bus
    async with idle.http.stream("POST", f"/v1/runs/{mode}", json=body) as answer:
        run_id = answer.headers["location"].split("/")[3]

        async def waiting() -> bool:
            return f"run:{run_id}" in bus._topics

        await until(waiting)

    async def gone() -> bool:
        return f"run:{run_id}" not in bus._topics

    await until(gone)
    await until_state(idle, run_id, expected)


async def test_the_end_of_the_server_is_no_lost_connection(idle: Served) -> None:
    body = {"agent": "echo", "on_disconnect": "cancel"}
    async with idle.http.stream("POST", "/v1/runs/wait", json=body) as answer:
        idle.services.closing.close()
        run = json.loads(await answer.aread())
    assert run["state"] == "pending"
    assert await state_of(idle, run["id"]) == "pending"


async def test_a_policy_that_cancels_needs_the_permission(idle: Served) -> None:
    run = await idle.json("POST", "/v1/runs", {"agent": "echo"}, status=201)
    headers = {"authorization": f"Bearer {await idle.key_of(Role.VIEWER)}"}
    path = f"/v1/runs/{run['id']}/stream?on_disconnect=cancel"
    await idle.problem("GET", path, status=403, headers=headers)


async def test_a_policy_is_for_who_stays_on_the_line(idle: Served) -> None:
    problem = await idle.problem("POST", "/v1/runs", {"agent": "echo", "on_disconnect": "cancel"}, status=422)
    assert problem["problems"][0]["field"] == "on_disconnect"


async def test_a_stream_has_every_event_and_ends_with_one(api: Served) -> None:
    await api.local.deploy("parts", PARTS, toml=FUNCTION)
    async with api.http.stream("POST", "/v1/runs/stream", json={"agent": "parts", "input": 3}) as answer:
        got = [frame async for frame in frames(answer.aiter_lines())]
    assert answer.headers["location"] == answer.headers["content-location"]
    events = [frame for frame in got if frame[1]]
    assert [int(seq) for _, seq, _ in events] == list(range(1, len(events) + 1))
    assert [data["data"]["value"] for kind, _, data in events if kind == "output"] == [0, 1, 2]
    assert events[-1][2]["data"]["to"] == "completed"
    run_id = answer.headers["location"].split("/")[3]
    assert got[-2:] == [("end", "", {"run_id": run_id, "state": "completed"}), (":", "", "end")]

    for after in range(len(events) + 2):  # joining after the end: from anywhere, without gap or repeat
        headers = {"last-event-id": str(after)}
        async with api.http.stream("GET", answer.headers["location"], headers=headers) as late:
            again = [frame async for frame in frames(late.aiter_lines())]
        assert again == got[after:] if after <= len(events) else got[-2:]


async def test_sent_again_with_its_key_a_stream_goes_on(idle: Served) -> None:
    body = {"agent": "echo", "idempotency_key": "one"}
    async with idle.http.stream("POST", "/v1/runs/stream", json=body) as answer:
        first = await anext(frames(answer.aiter_lines()))
        location = answer.headers["location"]
    assert (first[0], first[1]) == ("state", "1")
    headers = {"last-event-id": "1"}
    async with idle.http.stream("POST", "/v1/runs/stream", json=body, headers=headers) as answer:
        assert answer.headers["location"] == location
        await idle.json("POST", f"/v1/runs/{location.split('/')[3]}/cancel")
        got = [(kind, seq) async for kind, seq, _ in frames(answer.aiter_lines())]
    assert got == [("state", "2"), ("end", ""), (":", "")]


async def test_both_clients_wait_and_stream(api: Served) -> None:
    await api.local.deploy("parts", PARTS, toml=FUNCTION)
    await api.local.deploy("echo", ECHO, toml=FUNCTION)
    with ao.Client(api.url, api.key) as sync:
        run = await thread(sync.run_and_wait, "echo", {"n": 1}, priority=5)
        assert (run.state, run.data["output"], run.data["priority"]) == ("completed", {"n": 1}, 5)
        events = await thread(lambda: list(sync.stream("parts", 2)))
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
    async with ao.AsyncClient(api.url, api.key) as client:
        handle = await client.run_and_wait("echo", "x", on_disconnect="cancel")
        assert (handle.state, handle.data["output"]) == ("completed", "x")
        outputs = [event.data["value"] async for event in client.stream("parts", 2) if event.kind == "output"]
        assert outputs == [0, 1]


async def test_a_client_that_stops_reading_cancels_its_run(api: Served) -> None:
    await api.local.deploy("sleepy", SLEEPY, toml=ONCE)
    async with ao.AsyncClient(api.url, api.key) as client:
        stream = client.stream("sleepy", on_disconnect="cancel", idempotency_key="mine")
        async for event in stream:
            if event.kind == "attempt_started":
                break
        await stream.aclose()  # type: ignore[attr-defined]
        handle = await client.run("sleepy", idempotency_key="mine")
        await asyncio.wait_for(handle.wait(), 60)
        assert handle.state == "cancelled"


def test_a_stream_goes_on_after_kill_9_and_a_restart(tmp_path: Path) -> None:
    """The same ids mean the same events, also those that a killed server had sent."""
    up = Up(tmp_path / "home")
    project = tmp_path / "slow"
    project.mkdir()
    (project / "ao.toml").write_text(f'name = "slow"\n{FUNCTION}\nretries = 0\n')
    (project / "agent.py").write_text(
        "import pathlib, time\ndef work(task):\n    for n in range(5):\n        yield n\n"
        "    while not pathlib.Path(task).exists(): time.sleep(0.05)\n"
    )
    gate = tmp_path / "gate"
    up.start()
    try:
        with ao.Client(home=up.home) as client:
            client.deploy(project).wait()
            run = client.run("slow", str(gate))
            before = first_events(client, run.id, 5)
        up.kill()
        up.start()
        with ao.Client(home=up.home) as client:
            assert first_events(client, run.id, 5) == before
            last = before[-1][0]
            rest = []
            for event in client.get_run(run.id).events(after=last):
                rest.append(event.seq)
                if event.seq == last + 1:
                    client.get_run(run.id).cancel()
            assert rest == list(range(last + 1, last + 1 + len(rest)))
            assert client.get_run(run.id).done
    finally:
        up.stop()


def first_events(client: "ao.Client", run_id: str, count: int) -> list[tuple[int, str, Any]]:
    found = []
    for event in client.get_run(run_id).events():
        found.append((event.seq, event.kind.value, event.data))
        if len(found) == count:
            break
    return found


async def test_streams_over_http_need_no_more_than_curl(api: Served) -> None:
    """Frames are separated by an empty line; every `data` is one line of JSON."""
    await api.local.deploy(
        "echo", {"agent.py": "def work(task): print('a\\n\\nb'); return task"}, toml=FUNCTION
    )
    answer = await api.http.post("/v1/runs/stream", json={"agent": "echo", "input": "x\n\ny"}, timeout=60)
    assert isinstance(answer, httpx.Response)
    for block in answer.text.split("\n\n"):
        for line in block.split("\n"):
            assert line.partition(":")[0] in ("", "event", "id", "data"), line
