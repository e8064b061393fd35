"""Assistants over gRPC."""

import json
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


async def test_an_assistant_is_made_changed_and_archived_as_over_rest(tmp_path: Path) -> None:
    async with rpc_served(tmp_path, {"AO_WARM": "off"}) as rpc:
        await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
        stub: Any = AssistantServiceStub(rpc.channel)
        path = "/v1/assistants/brief"

        async def call(method: str, **fields: Any) -> Any:
            request = getattr(assistants_pb2, f"{method}Request")(**fields)
            return await getattr(stub, method)(request, metadata=rpc.key)

        overrides, schema = {"env": {"TONE": "dry"}, "timeout": 9}, {"type": "integer"}
        made = await call(
            "CreateAssistant",
            name="brief",
            agent="echo",
            version=1,
            metadata_json='{"team":"a","tier":1}',
            input_schema_json=json.dumps(schema),
            overrides_json=json.dumps(overrides),
            message="first",
        )
        rest = await rpc.api.json("GET", path)
        assert (rest["version"], rest["pinned"], rest["config"]) == (1, 1, json.loads(made.config_json))
        assert (rest["config"]["overrides"], rest["config"]["input_schema"]) == (overrides, schema)

        changed: dict[str, Any] = {
            "metadata_json": '{"tier":null}',
            "overrides_json": '{"timeout":7}',
            "description": "shorter",
        }
        stale = assistants_pb2.UpdateAssistantRequest(assistant="brief", base=7, **changed)
        refusal = await rpc.refused(stub.UpdateAssistant(stale, metadata=rpc.key))
        assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
        cleared = ["version", "input_schema"]
        second = await call("UpdateAssistant", assistant="brief", base=1, clear=cleared, **changed)
        assert (second.version, second.HasField("pinned"), second.description) == (2, False, "shorter")
        config = (await rpc.api.json("GET", path))["config"]
        assert config == json.loads(second.config_json)
        assert (config["metadata"], config["input_schema"]) == ({"team": "a"}, None)
        assert config["overrides"] == {"env": {"TONE": "dry"}, "timeout": 7}

        diff = await call("GetAssistantDiff", assistant="brief", before=1, after=2)
        shown = await rpc.api.json("GET", f"{path}/diff?before=1&after=2")
        assert [each.path for each in diff.changes] == [each["path"] for each in shown["changes"]]
        first = await call("GetAssistantVersion", assistant="brief", version=1)
        assert (first.message, json.loads(first.config_json)) == ("first", rest["config"])
        assert (await call("SetLatestAssistant", assistant="brief", version=1, message="back")).version == 1
        archived = await call("DeleteAssistant", assistant="brief", message="done")
        assert archived.archived_at.ToJsonString() == (await rpc.api.json("GET", path))["archived_at"]
        moves = (await call("ListAssistantHistory", assistant="brief")).items
        assert [(move.action, move.from_version, move.to) for move in reversed(moves)][:3] == [
            (1, 0, 1),
            (2, 1, 2),
            (3, 2, 1),
        ]
        assert (moves[0].action, moves[0].message) == (assistants_pb2.ASSISTANT_ACTION_ARCHIVED, "done")
        entries = (await rpc.api.json("GET", "/v1/audit?action=assistant."))["items"]
        assert [entry["action"].partition(".")[2] for entry in reversed(entries)] == [
            "create",
            "update",
            "set_latest",
            "delete",
        ]
