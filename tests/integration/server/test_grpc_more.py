"""Over gRPC: what runs are part of, what they are made by, and what starts them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.rpc import Rpc, rpc_served
from tests.served import ECHO, FUNCTION

from ao.v1 import runs_pb2 as pb
from ao.v1 import schedules_pb2, sessions_pb2
from ao.v1.schedules_pb2_grpc import ScheduleServiceStub
from ao.v1.sessions_pb2_grpc import SessionServiceStub


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
