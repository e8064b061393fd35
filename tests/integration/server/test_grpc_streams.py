"""Runs over gRPC whose caller stays on the line: results, streams, deadlines, and what leaving does."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.rpc import Rpc, rpc_served
from tests.served import ECHO, FUNCTION, until

from ao.server import stream as streams
from ao.store.sql import postgres
from ao.v1 import agents_pb2
from ao.v1 import runs_pb2 as pb
from ao.v1.agents_pb2_grpc import AgentServiceStub

CODE = grpc.StatusCode
PARTS = {
    "agent.py": "def work(task):\n    print('one')\n    for n in range(task): yield n\n    return 'whole'\n",
}
IDLE_STREAMS = 200


@pytest.fixture
async def rpc(tmp_path: Path) -> AsyncIterator[Rpc]:
    async with rpc_served(tmp_path, worker=True) as rpc:
        yield rpc


@pytest.fixture
async def idle(tmp_path: Path) -> AsyncIterator[Rpc]:
    """Without a worker: runs stay pending."""
    async with rpc_served(tmp_path) as rpc:
        await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
        yield rpc


async def read_all(call: Any) -> list[Any]:
    got = []
    while (update := await call.read()) is not grpc.aio.EOF:
        got.append(update)
    return got


async def pending(rpc: Rpc) -> str:
    return str((await rpc.runs.CreateRun(pb.CreateRunRequest(agent="echo"), metadata=rpc.key)).run.id)


def subscribed(rpc: Rpc, run_id: str) -> bool:
    """To its events, or to its end alone."""
    bus: Any = rpc.api.services.bus
    return not {f"run:{run_id}", f"state:{run_id}"}.isdisjoint(bus._topics)


async def until_subscribed(rpc: Rpc, run_id: str, wanted: bool = True) -> None:
    async def reached() -> bool:
        return subscribed(rpc, run_id) == wanted

    await until(reached)


async def unknown(rpc: Rpc, known: Collection[str]) -> list[str]:
    """The ids of runs that were not known."""
    runs = (await rpc.runs.ListRuns(pb.ListRunsRequest(), metadata=rpc.key)).items
    return [run.id for run in runs if run.id not in known]


async def newest(rpc: Rpc, known: Collection[str]) -> str:
    """The id of a run that was not known."""
    found = list[str]()

    async def made() -> bool:
        found[:] = await unknown(rpc, known)
        return bool(found)

    await until(made)
    return found[0]


async def waited_for(rpc: Rpc, call: Any, known: set[str]) -> str | None:
    """The id of the run that a call has made, once the server waits for its end; None when the call is over
    before. It is known then."""
    while not call.done():
        for run_id in await unknown(rpc, known):
            if subscribed(rpc, run_id):
                known.add(run_id)
                return run_id
    known.update(await unknown(rpc, known))
    return None


async def until_state(rpc: Rpc, run_id: str, state: int) -> None:
    async def reached() -> bool:
        request = pb.GetRunRequest(run_id=run_id)
        return bool((await rpc.runs.GetRun(request, metadata=rpc.key)).state == state)

    await until(reached)


async def test_a_run_is_made_followed_and_looked_at(rpc: Rpc) -> None:
    await rpc.api.local.deploy("parts", PARTS, toml=FUNCTION)
    call = rpc.runs.StreamRun(pb.StreamRunRequest(agent="parts", input_json="3"), metadata=rpc.key)
    got = await read_all(call)
    run_id = dict(await call.initial_metadata())["ao-run-id"]
    events = [update.event for update in got[:-1]]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    outputs = [json.loads(event.data_json) for event in events if event.kind == pb.EVENT_KIND_OUTPUT]
    assert [output["value"] for output in outputs] == [0, 1, 2]
    assert got[-1].end == pb.RunEnd(run_id=run_id, state="RUN_STATE_COMPLETED")

    for after in range(len(events) + 2):  # joined after the end: from anywhere, without gap or repeat
        request = pb.WatchRunRequest(run_id=run_id, after=after)
        again = await read_all(rpc.runs.WatchRun(request, metadata=rpc.key))
        assert again == (got[after:] if after <= len(events) else got[-1:])

    run = await rpc.runs.GetRun(pb.GetRunRequest(run_id=run_id), metadata=rpc.key)
    assert (run.state, json.loads(run.output_json)) == (pb.RUN_STATE_COMPLETED, "whole")
    listed = await rpc.runs.ListEvents(pb.ListEventsRequest(run_id=run_id, after=2, limit=3), metadata=rpc.key)
    assert (list(listed.items), listed.complete) == (events[2:5], False)
    (attempt,) = (await rpc.runs.ListAttempts(pb.ListAttemptsRequest(run_id=run_id), metadata=rpc.key)).items
    assert (attempt.number, attempt.kind) == (1, pb.OUTCOME_KIND_COMPLETED)
    logs = await read_all(rpc.runs.GetLogs(pb.GetLogsRequest(run_id=run_id), metadata=rpc.key))
    assert [line.text for some in logs for line in some.items] == ["one"]
    found = await rpc.runs.SearchLogs(pb.SearchLogsRequest(run_id=run_id, q="ON"), metadata=rpc.key)
    assert [(match.text, match.spans[0].start, match.spans[0].end) for match in found.items] == [("one", 0, 2)]


async def test_waiting_answers_with_the_result(rpc: Rpc) -> None:
    await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
    call = rpc.runs.RunAndWait(
        pb.RunAndWaitRequest(agent="echo", input_json='{"n":9007199254740993}'), metadata=rpc.key
    )
    run = await call
    assert (run.state, run.output_json) == (pb.RUN_STATE_COMPLETED, '{"n":9007199254740993}')
    assert dict(await call.initial_metadata())["ao-run-id"] == run.id


async def test_the_id_of_a_run_comes_before_its_result(idle: Rpc) -> None:
    """Asked for as a stream, because Python hands out the metadata of other calls at their end."""
    make = idle.channel.unary_stream(
        "/ao.v1.RunService/RunAndWait",
        request_serializer=pb.RunAndWaitRequest.SerializeToString,
        response_deserializer=pb.Run.FromString,
    )
    call: Any = make(pb.RunAndWaitRequest(agent="echo"), metadata=idle.key)
    run_id = dict(await call.initial_metadata())["ao-run-id"]
    await idle.runs.CancelRun(pb.CancelRunRequest(run_id=run_id), metadata=idle.key)
    assert [run.state for run in await read_all(call)] == [pb.RUN_STATE_CANCELLED]


async def test_a_build_is_watched_to_its_end(rpc: Rpc) -> None:
    await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
    agents: Any = AgentServiceStub(rpc.channel)
    request = agents_pb2.WatchBuildRequest(agent="echo", version=1)
    *lines, last = await read_all(agents.WatchBuild(request, metadata=rpc.key))
    assert [update.line.seq for update in lines] == list(range(1, len(lines) + 1))
    assert (last.deployment.status, last.deployment.live) == (agents_pb2.DEPLOYMENT_STATUS_SUCCEEDED, True)
    assert "code" in last.deployment.parts


@pytest.mark.parametrize("method", ["RunAndWait", "StreamRun"])
async def test_leaving_does_what_the_request_says(idle: Rpc, method: str) -> None:
    kind = pb.RunAndWaitRequest if method == "RunAndWait" else pb.StreamRunRequest
    known = set[str]()
    for policy, state in (("CANCEL", pb.RUN_STATE_CANCELLED), ("CONTINUE", pb.RUN_STATE_PENDING)):
        request = kind(agent="echo", on_disconnect=f"ON_DISCONNECT_{policy}")
        for timeout in (None, 0.25):
            call = getattr(idle.runs, method)(request, metadata=idle.key, timeout=timeout)
            while (run_id := await waited_for(idle, call, known)) is None:
                assert timeout is not None, await call.code()
                timeout *= 2  # this machine needs longer until it waits
                call = getattr(idle.runs, method)(request, metadata=idle.key, timeout=timeout)
            if timeout is None:
                call.cancel()
            else:
                assert await call.code() is CODE.DEADLINE_EXCEEDED
            await until_subscribed(idle, run_id, wanted=False)
            await until_state(idle, run_id, state)


async def test_a_deadline_ends_a_wait_and_not_the_run(idle: Rpc) -> None:
    run_id = await pending(idle)
    request = pb.GetRunRequest(run_id=run_id, wait=60)
    refusal = await idle.refused(idle.runs.GetRun(request, metadata=idle.key, timeout=0.2))
    assert refusal.code is CODE.DEADLINE_EXCEEDED
    await until_subscribed(idle, run_id, wanted=False)
    await until_state(idle, run_id, pb.RUN_STATE_PENDING)


async def test_sent_again_with_its_key_a_stream_goes_on(idle: Rpc) -> None:
    request = pb.StreamRunRequest(agent="echo", idempotency_key="one")
    first = idle.runs.StreamRun(request, metadata=idle.key)
    assert (await first.read()).event.seq == 1
    run_id = dict(await first.initial_metadata())["ao-run-id"]
    first.cancel()
    request.after = 1
    second = idle.runs.StreamRun(request, metadata=idle.key)
    assert dict(await second.initial_metadata())["ao-run-id"] == run_id
    await idle.runs.CancelRun(pb.CancelRunRequest(run_id=run_id), metadata=idle.key)
    assert [update.event.seq for update in await read_all(second)] == [2, 0]


async def test_an_event_whose_hint_was_lost_still_arrives(idle: Rpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "IDLE_SECONDS", (0.01, 0.02))
    run_id = await pending(idle)
    call = idle.runs.WatchRun(pb.WatchRunRequest(run_id=run_id), metadata=idle.key)
    await call.read()
    await idle.api.services.store.runs.cancel(run_id, "nobody is told")  # type: ignore[arg-type]
    assert [update.WhichOneof("update") for update in await read_all(call)] == ["event", "end"]


async def test_the_end_of_the_server_is_no_leaving(idle: Rpc) -> None:
    """Streams end with what clients try again on; who waits for a result gets the run as it is."""
    policy = "ON_DISCONNECT_CANCEL"
    waiting = idle.runs.RunAndWait(pb.RunAndWaitRequest(agent="echo", on_disconnect=policy), metadata=idle.key)
    stream = idle.runs.StreamRun(pb.StreamRunRequest(agent="echo", on_disconnect=policy), metadata=idle.key)
    ids = [await newest(idle, {""})]
    ids.append(await newest(idle, set(ids)))
    for run_id in ids:
        await until_subscribed(idle, run_id)
    await stream.read()
    async with asyncio.timeout(60):
        await idle.listener.__aexit__(None, None, None)
        run = await waiting
        refusal = await idle.refused(stream)
    assert run.state == pb.RUN_STATE_PENDING
    assert refusal.code is CODE.UNAVAILABLE
    assert "google.rpc.RetryInfo" in refusal.details
    for run_id in ids:
        assert (await idle.api.json("GET", f"/v1/runs/{run_id}"))["state"] == "pending"


@pytest.fixture(params=["sqlite", "postgres"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rpc]:
    """On either database, with a pool of five for what is read."""
    variables = {"AO_WARM": "off"}
    if request.param == "postgres":
        variables["AO_DATABASE_URL"] = request.getfixturevalue("postgres_url")
        assert postgres._READERS == 5
    async with rpc_served(tmp_path, variables) as rpc:
        await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
        yield rpc


async def test_many_idle_streams_leave_the_server_free(either: Rpc) -> None:
    """They hold no connection to the database and no thread; each gets its event when it comes."""
    run_id = await pending(either)
    request = pb.WatchRunRequest(run_id=run_id)
    calls = [either.runs.WatchRun(request, metadata=either.key) for _ in range(IDLE_STREAMS)]
    for call in calls:
        assert (await call.read()).event.seq == 1
    for _ in range(20):
        run = await either.runs.GetRun(pb.GetRunRequest(run_id=run_id), metadata=either.key)
        assert run.state == pb.RUN_STATE_PENDING
    await either.runs.CancelRun(pb.CancelRunRequest(run_id=run_id), metadata=either.key)
    for call in calls:
        assert [update.WhichOneof("update") for update in await read_all(call)] == ["event", "end"]
