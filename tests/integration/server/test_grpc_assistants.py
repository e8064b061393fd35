"""Assistants over gRPC."""

from pathlib import Path
from typing import Any

import grpc
from tests.rpc import rpc_served
from tests.served import ECHO, FUNCTION

from ao.v1 import assistants_pb2
from ao.v1 import runs_pb2 as pb
from ao.v1.assistants_pb2_grpc import AssistantServiceStub


async def test_assistants_are_read_and_run(tmp_path: Path) -> None:
    async with rpc_served(tmp_path, {"AO_WARM": "off"}) as rpc:
        await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
        body = {"name": "brief", "agent": "echo", "description": "short", "message": "first"}
        await rpc.api.json("POST", "/v1/assistants", body, status=201)
        assistants: Any = AssistantServiceStub(rpc.channel)
        listed = await assistants.ListAssistants(assistants_pb2.ListAssistantsRequest(), metadata=rpc.key)
        assert [(each.name, each.own) for each in listed.items] == [("brief", False), ("echo", True)]
        request = assistants_pb2.GetAssistantRequest(assistant="brief")
        assert (await assistants.GetAssistant(request, metadata=rpc.key)).description == "short"
        asked = assistants_pb2.ListAssistantVersionsRequest(assistant="brief")
        versions = (await assistants.ListAssistantVersions(asked, metadata=rpc.key)).items
        assert [(each.version, each.message) for each in versions] == [(1, "first")]
        run = (await rpc.runs.CreateRun(pb.CreateRunRequest(assistant="brief"), metadata=rpc.key)).run
        assert (run.agent, run.assistant, run.assistant_version) == ("echo", "brief", 1)
        both = pb.CreateRunRequest(agent="echo", assistant="brief")
        refusal = await rpc.refused(rpc.runs.CreateRun(both, metadata=rpc.key))
        assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["agent"])
