"""The OpenAPI document is complete, and the server keeps to it whatever it is sent."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.served import ECHO, FUNCTION, Served, served

HOOKS = "tests.integration.server.schemathesis_hooks"
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as api:
        yield api


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for item in document["paths"].values() for operation in item.values()]


async def test_every_operation_is_documented_with_its_refusals(api: Served) -> None:
    document = await api.json("GET", "/v1/openapi.json")
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    found = operations(document)
    assert len({operation["operationId"] for operation in found}) == len(found)
    for operation in found:
        assert operation["description"], operation["operationId"]
        if operation.get("security") == []:
            continue
        for status in ("401", "403", "422", "500"):
            assert "application/problem+json" in operation["responses"][status]["content"]
        assert "HTTPValidationError" not in json.dumps(operation)


async def test_whatever_it_is_sent_the_server_keeps_to_its_schema(api: Served, tmp_path: Path) -> None:
    """Schemathesis: examples, coverage, fuzzing and sequences of calls; no 5xx and no violation."""
    await api.local.deploy("echo", ECHO, toml=FUNCTION)
    run = await api.json("POST", "/v1/runs", {"agent": "echo", "input": {"n": 1}}, status=201)
    await api.json("PUT", "/v1/secrets/TOKEN", {"value": "x"})
    schedule = {"agent": "echo", "name": "nightly", "cron": "0 3 * * *"}
    await api.json("POST", "/v1/schedules", schedule, status=201)
    await api.json("POST", "/v1/assistants", {"name": "brief", "agent": "echo"}, status=201)
    (tmp_path / "openapi.json").write_text((await api.http.get("/v1/openapi.json")).text)
    config = tmp_path / "schemathesis.toml"
    config.write_text(_CONFIG.format(key=api.key, run_id=run["id"]))
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config)]
    process = await asyncio.create_subprocess_exec(
        *[*command, "run", str(tmp_path / "openapi.json"), "--url", api.url, "--no-color"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(ROOT)},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


_CONFIG = """
headers = {{ Authorization = "Bearer {key}" }}
request-timeout = 30

[parameters]
"path.run_id" = "{run_id}"
"path.agent" = "echo"
"path.assistant" = "brief"
"path.version" = 1
"path.key_id" = "{run_id}"
"path.delivery_id" = "{run_id}"
"query.wait" = 0.01

[generation]
max-examples = 20
deterministic = true
database = "none"

[warnings]
enabled = false

# They answer when a run has ended, and no worker is there. Their bodies are those of create_run.
[[operations]]
include-operation-id = ["create_run_wait", "create_run_stream", "get_run_stream"]
enabled = false

# A cursor or a digest of the right form may still be one that this server never made.
[[operations]]
include-operation-id = [
  "list_runs", "list_deployments", "create_deployment", "list_audit", "list_webhooks", "list_questions",
  "list_dead_letters", "list_schedule_ticks", "list_sessions", "list_session_history",
  "replace_workspace", "list_assistants", "list_assistant_versions", "list_assistant_history",
]
checks.positive_data_acceptance.enabled = false

# A text may be no cron expression or time zone, a range may have too many ticks. What an assistant overrides
# has to fit a release, and a name of a variable to be one.
[[operations]]
include-operation-id = [
  "create_schedule", "update_schedule", "backfill_schedule", "create_assistant", "update_assistant",
]
checks.positive_data_acceptance.enabled = false

# They get the id of the parameters above, whatever was made before: there is no such key.
[[operations]]
include-operation-id = ["revoke_key", "replay_webhook"]
checks.ensure_resource_availability.enabled = false
"""
