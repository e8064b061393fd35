"""Over gRPC: what runs are part of, what they are made by, and what starts them."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.rpc import Rpc, rpc_served
from tests.served import ECHO, FUNCTION

from ao.v1 import runs_pb2 as pb
from ao.v1 import schedules_pb2, server_pb2, sessions_pb2, webhooks_pb2
from ao.v1.schedules_pb2_grpc import ScheduleServiceStub
from ao.v1.server_pb2_grpc import ServerServiceStub
from ao.v1.sessions_pb2_grpc import SessionServiceStub
from ao.v1.webhooks_pb2_grpc import WebhookServiceStub


@pytest.fixture
async def rpc(tmp_path: Path) -> AsyncIterator[Rpc]:
    """Without a worker: runs stay pending."""
    async with rpc_served(tmp_path, {"AO_WARM": "off"}) as rpc:
        await rpc.api.local.deploy("echo", ECHO, toml=f'{FUNCTION}\ncron = "0 3 * * *"')
        yield rpc


async def test_sessions_are_made_used_changed_and_removed(rpc: Rpc) -> None:
    sessions: Any = SessionServiceStub(rpc.channel)
    hello = sessions_pb2.NewMessage(role="user", content_json='"hello"')
    request = sessions_pb2.CreateSessionRequest(agent="echo", id="chat", state_json='{"n":1}', messages=[hello])
    made = await sessions.CreateSession(request, metadata=rpc.key)
    assert (made.version, json.loads(made.state_json), made.messages) == (1, {"n": 1}, 1)

    wanted = pb.CreateRunRequest(agent="echo", session="chat")
    run = (await rpc.runs.CreateRun(wanted, metadata=rpc.key)).run
    assert run.session == "chat"
    wanted.on_overlap = pb.ON_OVERLAP_REJECT
    refusal = await rpc.refused(rpc.runs.CreateRun(wanted, metadata=rpc.key))
    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
    listed = await sessions.ListSessions(sessions_pb2.ListSessionsRequest(agent="echo"), metadata=rpc.key)
    assert [(each.id, each.open_runs) for each in listed.items] == [("chat", 1)]
    await rpc.runs.CancelRun(pb.CancelRunRequest(run_id=run.id), metadata=rpc.key)

    edit = sessions_pb2.EditSessionRequest(agent="echo", session="chat", state_json='{"m":2}', remove=["n"])
    edited = await sessions.EditSession(edit, metadata=rpc.key)
    one = sessions_pb2.GetSessionRequest(agent="echo", session="chat")
    assert edited == await sessions.GetSession(one, metadata=rpc.key)
    assert json.loads(edited.state_json) == {"m": 2}
    asked = sessions_pb2.ListSessionMessagesRequest(agent="echo", session="chat")
    messages = await sessions.ListSessionMessages(asked, metadata=rpc.key)
    assert [(each.seq, each.role, each.content_json) for each in messages.items] == [(1, "user", '"hello"')]
    assert messages.complete

    history = sessions_pb2.ListSessionHistoryRequest(agent="echo", session="chat")
    versions = (await sessions.ListSessionHistory(history, metadata=rpc.key)).items
    rest = (await rpc.api.json("GET", "/v1/sessions/echo/chat/history"))["items"]
    assert [(each.version, list(each.changed)) for each in versions] == [
        (each["version"], each["changed"]) for each in rest
    ]
    first = sessions_pb2.GetSessionVersionRequest(agent="echo", session="chat", version=1)
    then = await sessions.GetSessionVersion(first, metadata=rpc.key)
    assert (then.change, json.loads(then.state_json)) == (versions[-1].change, {"n": 1})
    copy = sessions_pb2.CopySessionRequest(agent="echo", session="chat", id="copy", version=1)
    assert json.loads((await sessions.CopySession(copy, metadata=rpc.key)).state_json) == {"n": 1}
    assert (await rpc.api.json("GET", "/v1/sessions/echo/copy"))["state"] == {"n": 1}
    back = sessions_pb2.RestoreSessionRequest(agent="echo", session="chat", version=1)
    restored = await sessions.RestoreSession(back, metadata=rpc.key)
    assert (restored.version, json.loads(restored.state_json)) == (edited.version + 1, {"n": 1})
    await sessions.DeleteSession(
        sessions_pb2.DeleteSessionRequest(agent="echo", session="chat"), metadata=rpc.key
    )
    refusal = await rpc.refused(sessions.GetSession(one, metadata=rpc.key))
    assert refusal.code is grpc.StatusCode.NOT_FOUND


async def test_schedules_are_listed(rpc: Rpc) -> None:
    schedules: Any = ScheduleServiceStub(rpc.channel)
    (schedule,) = (await schedules.ListSchedules(schedules_pb2.ListSchedulesRequest(), metadata=rpc.key)).items
    assert (schedule.agent, schedule.cron, schedule.declared) == ("echo", "0 3 * * *", True)
    assert schedule.next_at.seconds > schedule.created_at.seconds
    other = schedules_pb2.ListSchedulesRequest(agent="other")
    assert len((await schedules.ListSchedules(other, metadata=rpc.key)).items) == 0


async def test_a_schedule_is_made_used_and_removed_as_over_rest(rpc: Rpc) -> None:
    stub: Any = ScheduleServiceStub(rpc.channel)
    named: dict[str, Any] = {"agent": "echo", "name": "nightly"}
    one, path = schedules_pb2, "/v1/schedules/echo/nightly"

    async def call(method: str, **fields: Any) -> Any:
        request = getattr(one, f"{method}Request")(**named, **fields)
        return await getattr(stub, method)(request, metadata=rpc.key)

    made = await call("CreateSchedule", cron="@every 1h", input_json='{"n":1}', catch_up_seconds=60, priority=3)
    rest = await rpc.api.json("GET", path)
    assert (made.id, made.overlap, json.loads(made.input_json)) == (rest["id"], 1, rest["input"])
    assert (rest["catch_up_seconds"], rest["next_at"]) == (60, made.next_at.ToJsonString())

    changed = await call(
        "UpdateSchedule", overlap="SCHEDULE_OVERLAP_ALLOW", priority=0, clear=["catch_up_seconds"]
    )
    rest = await rpc.api.json("GET", path)
    assert (rest["overlap"], rest["priority"], rest["catch_up_seconds"]) == ("allow", 0, None)
    assert (rest["cron"], changed.HasField("catch_up_seconds")) == ("@every 1h", False)
    for wrong in ({"end_at": {"seconds": 1 << 32}, "clear": ["end_at"]}, {"clear": ["cron"]}):
        request = one.UpdateScheduleRequest(**named, **wrong)
        refusal = await rpc.refused(stub.UpdateSchedule(request, metadata=rpc.key))
        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refusal.fields[0].startswith("clear")

    paused = await call("PauseSchedule", reason="too noisy")
    assert (paused.paused, paused.pause.reason) == (True, "too noisy")
    run_id = (await call("TriggerSchedule")).run_id
    assert (await rpc.api.json("GET", f"/v1/runs/{run_id}"))["agent"] == "echo"
    assert not (await call("ResumeSchedule")).paused
    since = {"seconds": made.created_at.seconds - 3 * 3600}
    done = await call("BackfillSchedule", since=since)
    assert (done.total, done.runs) == (3, 3)
    again = await call("BackfillSchedule", since=since, dry_run=True)
    assert (again.dry_run, again.runs, [tick.already for tick in again.ticks]) == (
        True,
        0,
        [tick.run_id for tick in done.ticks],
    )
    first = await call("ListScheduleTicks", outcome="TICK_OUTCOME_BACKFILLED", limit=2)
    rest = await call("ListScheduleTicks", outcome="TICK_OUTCOME_BACKFILLED", cursor=first.next)
    ticks = [tick.run_id for tick in reversed([*first.items, *rest.items])]
    assert ticks == [tick.run_id for tick in done.ticks]
    assert [tick.run_id for tick in (await call("ListScheduleTicks")).items if tick.outcome == 5] == [run_id]
    upcoming = (await call("ListNextTicks", count=2)).items
    shown = await rpc.api.json("GET", f"{path}/next?count=2")
    assert [tick.local for tick in upcoming] == [tick["local"] for tick in shown]

    await call("DeleteSchedule")
    await rpc.api.problem("GET", path, status=404)
    entries = (await rpc.api.json("GET", "/v1/audit?action=schedule."))["items"]
    actions = ["create", "update", "pause", "trigger", "resume", "backfill", "delete"]
    assert [entry["action"] for entry in reversed(entries)] == [f"schedule.{done}" for done in actions]
    assert {(entry["actor"], entry["source"]) for entry in entries} == {("key:local", "127.0.0.1")}
    declared = one.DeleteScheduleRequest(agent="echo", name="cron")
    refusal = await rpc.refused(stub.DeleteSchedule(declared, metadata=rpc.key))
    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION


async def test_deliveries_are_looked_at_and_sent_once_more(rpc: Rpc) -> None:
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    await rpc.api.json("PUT", "/v1/secrets/HOOK?agent=echo", {"value": secret})
    webhook = {"url": "https://example.invalid/hook", "secret": "HOOK"}
    run = await rpc.api.json("POST", "/v1/runs", {"agent": "echo", "webhook": webhook}, status=201)
    await rpc.runs.CancelRun(pb.CancelRunRequest(run_id=run["id"]), metadata=rpc.key)
    webhooks: Any = WebhookServiceStub(rpc.channel)
    asked = webhooks_pb2.ListWebhooksRequest(run=run["id"], state="DELIVERY_STATE_PENDING")
    (listed,) = (await webhooks.ListWebhooks(asked, metadata=rpc.key)).items
    detail = await webhooks.GetWebhook(webhooks_pb2.GetWebhookRequest(delivery_id=listed.id), metadata=rpc.key)
    assert (detail.id, detail.url, detail.tries) == (listed.id, webhook["url"], len(detail.attempts))
    replay = webhooks_pb2.ReplayWebhookRequest(delivery_id=listed.id)
    assert (await webhooks.ReplayWebhook(replay, metadata=rpc.key)).id == listed.id
    (entry,) = (await rpc.api.json("GET", "/v1/audit?action=webhook.replay"))["items"]
    assert (entry["target"], entry["agent"]) == (f"webhook:{listed.id}", "echo")


async def test_sizes_are_those_of_rest(rpc: Rpc) -> None:
    server: Any = ServerServiceStub(rpc.channel)
    sizes = await server.GetSizes(server_pb2.GetSizesRequest(), metadata=rpc.key)
    rest = await rpc.api.json("GET", "/v1/sizes")
    assert {table.name for table in sizes.tables} == {table["name"] for table in rest["tables"]}
    assert (sizes.blobs, sizes.blob_bytes) == (rest["blobs"], rest["blob_bytes"])
