"""Assistants over HTTP, and what their runs do, on a real worker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.served import Served, served, thread
from tests.statements import count_statements

import ao
from ao.domain.errors import InvalidInput
from ao.sandbox import Level
from ao.store.sql.store import SqlStore

ASSISTANTS = "/v1/assistants"
FILES = {
    "prompts/system.md": "Be kind.\n",
    "prompts/brief.md": "Be brief.\n",
    "agent.py": """
import os
from pathlib import Path
import ao_runner
AT_IMPORT = Path("prompts/system.md").read_text()
def work(task):
    if isinstance(task, dict) and task.get("fail"):
        raise ValueError("asked to")
    return {
        "prompt": ao_runner.prompt("prompts/system.md"),
        "file": Path("prompts/system.md").read_text(),
        "at_import": AT_IMPORT,
        "models": ao_runner.models(),
        "env": [os.environ.get(name) for name in ("TONE", "AO_ASSISTANT", "AO_ASSISTANT_VERSION")],
    }
""",
}
TOML = """
entrypoint = "agent:work"
timeout = "30s"
[retries]
max_retries = 0
initial_delay = "10ms"
jitter = false
[models]
fast = "openai/small"
slow = { model = "openai/large", effort = "high" }
[input_schema]
type = "object"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    variables = {"AO_HEARTBEAT_SECONDS": "0.2", "AO_WARM": "on"}
    async with served(tmp_path_factory.mktemp("assistants"), variables, worker=True) as api:
        await api.local.deploy("support", FILES, toml=TOML)
        yield api


_numbers = iter(range(1, 1000))


async def assistant(api: Served, **config: Any) -> str:
    """A new one of `support`; its name."""
    name = f"assistant-{next(_numbers)}"
    await api.json("POST", ASSISTANTS, {"name": name, "agent": "support", **config}, status=201)
    return name


async def run(api: Served, name: str, input: object = None, **more: object) -> Any:
    body = {"assistant": name, "input": {} if input is None else input, **more}
    return await api.json("POST", "/v1/runs?wait=60", body, status=201)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_input_is_checked_at_the_door(shared: Served) -> None:
    schema = {"type": "object", "properties": {"order": {"properties": {"id": {"type": "integer"}}}}}
    name = await assistant(shared, input_schema=schema)
    body = {"assistant": name, "input": {"order": {"id": "seven"}}}
    problem = await shared.problem("POST", "/v1/runs", body, status=422)
    assert [entry["field"] for entry in problem["problems"]] == ["input.order.id"]
    assert f"assistant {name}'s input_schema" in problem["detail"]
    both = await shared.problem("POST", "/v1/runs", {"assistant": name, "input": []}, status=422)
    assert "is not of type" in both["detail"]
    assert (await run(shared, name, {"order": {"id": 7}}))["state"] == "completed"
    invalid = {"name": "broken", "agent": "support", "input_schema": {"type": "strnig"}}
    problem = await shared.problem("POST", ASSISTANTS, invalid, status=422)
    assert problem["problems"][0]["field"] == "input_schema"


async def test_overrides_that_do_not_fit_are_refused_with_what_was_probably_meant(shared: Served) -> None:
    overrides = {"models": {"fats": "openai/tiny"}, "prompts": {"prompts/system.md": "x"}}
    body: dict[str, Any] = {"name": "refused", "agent": "support", "overrides": overrides}
    problem = await shared.problem("POST", ASSISTANTS, body, status=422)
    assert problem["problems"][0]["field"] == "overrides.models.fats"
    assert problem["problems"][0]["hint"] == "did you mean fast?"
    body["overrides"] = {"prompts": {"prompts/sytem.md": "x", "prompts/brief.md": {"use": "none.md"}}}
    problem = await shared.problem("POST", ASSISTANTS, body, status=422)
    hints = {entry["field"]: entry["hint"] for entry in problem["problems"]}
    assert hints["overrides.prompts.prompts/sytem.md"] == "did you mean prompts/system.md?"
    assert "it has" in hints["overrides.prompts.prompts/brief.md.use"]
    body["overrides"] = {"models": {"fast": "tiny"}, "timeout": 9, "run_timeout": 3}
    problem = await shared.problem("POST", ASSISTANTS, body, status=422)
    assert [entry["field"] for entry in problem["problems"]] == ["overrides.models.fast", "overrides.timeout"]
    body["overrides"] = {"timout": 3}
    problem = await shared.problem("POST", ASSISTANTS, body, status=422)
    (told,) = problem["problems"]
    assert (told["field"], told["hint"]) == ("overrides.timout", "did you mean timeout?")
    await shared.problem("GET", f"{ASSISTANTS}/refused", status=404)


async def test_a_retry_policy_changes_how_often_a_run_is_tried(shared: Served) -> None:
    assert (await run(shared, "support", {"fail": True}))["attempt"] == 1
    name = await assistant(shared, overrides={"retries": {"max_retries": 2}})
    failed = await run(shared, name, {"fail": True})
    assert (failed["state"], failed["attempt"]) == ("failed", 3)
    once = await assistant(shared, overrides={"retries": {"max_retries": 2, "permanent": ["ValueError"]}})
    assert (await run(shared, once, {"fail": True}))["attempt"] == 1
    assert (await run(shared, name, {"fail": True}))["attempt"] == 3


async def test_a_timeout_ends_an_attempt(shared: Served) -> None:
    slow = {"agent.py": "import time\ndef work(task): time.sleep(60)\n"}
    await shared.local.deploy("slow", slow, toml='entrypoint = "agent:work"\nretries = 0\n')
    body = {"name": "hasty", "agent": "slow", "overrides": {"timeout": "300ms"}}
    await shared.json("POST", ASSISTANTS, body, status=201)
    ended = await run(shared, "hasty")
    assert (ended["state"], ended["error"]["kind"], ended["attempt"]) == ("failed", "timeout", 1)


OVERRIDES = {
    "models": {"fast": "openai/tiny"},
    "prompts": {"prompts/system.md": "Be quick.\n"},
    "env": {"TONE": "dry"},
}


def seen(prompt: str, *, fast: str = "openai/small", env: list[str | None]) -> dict[str, object]:
    models = {"fast": fast, "slow": {"effort": "high", "model": "openai/large"}}
    return {"prompt": prompt, "file": prompt, "at_import": prompt, "models": models, "env": env}


async def test_an_agent_finds_overridden_models_prompts_and_variables_where_its_own_are(
    shared: Served,
) -> None:
    name = await assistant(shared, overrides=OVERRIDES)
    ended = await run(shared, name)
    assert ended["output"] == seen("Be quick.\n", fast="openai/tiny", env=["dry", name, "1"])
    assert (ended["agent"], ended["assistant"], ended["assistant_version"]) == ("support", name, 1)
    deployment = await shared.json("GET", "/v1/agents/support/deployments/1")
    assert ended["artifact_digest"] == deployment["digest"] != ended["digest"]
    plain = await run(shared, "support")
    assert plain["output"] == seen("Be kind.\n", env=[None, None, None])
    assert (plain["assistant"], plain["assistant_version"]) == ("support", None)
    assert plain["digest"] == plain["artifact_digest"] == deployment["digest"]
    swapped = await assistant(shared, overrides={"prompts": {"prompts/system.md": {"use": "prompts/brief.md"}}})
    assert (await run(shared, swapped))["output"]["at_import"] == "Be brief.\n"


async def test_assistants_that_alternate_on_warm_templates_see_nothing_of_each_other(shared: Served) -> None:
    if shared.local.platform.executor.info.level is not Level.NAMESPACES:
        pytest.skip("runs start warm in namespaces only")
    quick = await assistant(shared, overrides=OVERRIDES)
    calm = await assistant(shared, overrides={"prompts": {"prompts/system.md": "Be calm.\n"}})
    lasting = await assistant(shared, overrides={"timeout": 20})
    expected = {
        quick: seen("Be quick.\n", fast="openai/tiny", env=["dry", quick, "1"]),
        calm: seen("Be calm.\n", env=[None, calm, "1"]),
        lasting: seen("Be kind.\n", env=[None, lasting, "1"]),
        "support": seen("Be kind.\n", env=[None, None, None]),
    }
    warm: set[str] = set()
    async with asyncio.timeout(120):
        while warm != set(expected):
            for name, output in expected.items():
                ended = await run(shared, name)
                assert ended["output"] == output
                events = await shared.json("GET", f"/v1/runs/{ended['id']}/events")
                (started,) = [event["data"] for event in events if event["kind"] == "attempt_started"]
                if started["warm"]:
                    warm.add(name)


async def test_the_name_means_another_version_after_an_update_and_the_former_one_again(shared: Served) -> None:
    name = await assistant(shared, overrides={"prompts": {"prompts/system.md": "One.\n"}, "timeout": 9})
    changes = {"overrides": {"prompts": {"prompts/system.md": "Two.\n"}, "timeout": None}, "message": "second"}
    updated = await shared.json("PATCH", f"{ASSISTANTS}/{name}", changes)
    assert updated["config"]["overrides"] == {"prompts": {"prompts/system.md": "Two.\n"}}
    assert (await run(shared, name))["output"]["prompt"] == "Two.\n"
    moved = await shared.json("POST", f"{ASSISTANTS}/{name}/latest", {"version": 1, "message": "back"})
    assert (moved["version"], moved["newest"]) == (1, 2)
    ended = await run(shared, name)
    assert (ended["output"]["prompt"], ended["assistant_version"]) == ("One.\n", 1)
    pinned = await run(shared, name, assistant_version=2)
    assert (pinned["output"]["prompt"], pinned["assistant_version"]) == ("Two.\n", 2)
    history = (await shared.json("GET", f"{ASSISTANTS}/{name}/history"))["items"]
    told = [(move["action"], move["from"], move["to"], move["message"]) for move in history]
    assert told == [("set_latest", 2, 1, "back"), ("updated", 1, 2, "second"), ("created", None, 1, "")]
    diff = await shared.json("GET", f"{ASSISTANTS}/{name}/diff?before=1&after=2")
    prompt, timeout = diff["changes"]
    assert (prompt["path"], "-One." in prompt["diff"]) == ("overrides.prompts.prompts/system.md", True)
    assert (timeout["path"], timeout["before"], timeout["after"]) == ("overrides.timeout", 9.0, None)


async def test_a_run_stays_on_its_version_while_the_assistant_changes(shared: Served) -> None:
    source = """
import os, time
import ao_runner
def work(task):
    print("attempt", os.environ["AO_ATTEMPT"], ao_runner.prompt("prompts/p.md"), flush=True)
    if os.environ["AO_ATTEMPT"] == "1":
        raise ao_runner.Retry("once", after=task["after"])
    return [ao_runner.prompt("prompts/p.md"), os.environ["AO_ASSISTANT_VERSION"]]
"""
    toml = 'entrypoint = "agent:work"\n'
    await shared.local.deploy("patient", {"agent.py": source, "prompts/p.md": "zero"}, toml=toml)
    overrides = {"prompts": {"prompts/p.md": "one"}}
    body = {"name": "steady", "agent": "patient", "overrides": overrides}
    await shared.json("POST", ASSISTANTS, body, status=201)
    body = {"assistant": "steady", "input": {"after": 1}}
    accepted = await shared.json("POST", "/v1/runs", body, status=201)
    await shared.local.until_line(accepted["id"], "attempt 1 one")
    await shared.json("PATCH", f"{ASSISTANTS}/steady", {"overrides": {"prompts": {"prompts/p.md": "two"}}})
    ended = await shared.json("GET", f"/v1/runs/{accepted['id']}?wait=60")
    assert (ended["output"], ended["attempt"], ended["assistant_version"]) == (["one", "1"], 2, 1)
    assert (await run(shared, "steady", {"after": 0}))["output"] == ["two", "2"]
    again = await shared.json("POST", f"/v1/runs/{accepted['id']}/replay", {"begin": "start"}, status=201)
    replayed = await shared.json("GET", f"/v1/runs/{again['id']}?wait=60")
    assert (replayed["output"], replayed["assistant"]) == (["one", "1"], "steady")


async def test_a_release_that_the_overrides_do_not_fit_is_told_at_the_door(shared: Served) -> None:
    files = {"agent.py": "def work(task): return 1\n", "prompts/a.md": "a"}
    await shared.local.deploy("moving", files, toml='entrypoint = "agent:work"\n')
    overrides = {"prompts": {"prompts/a.md": "b"}}
    for name, more in (("moves", {}), ("stays", {"version": 1})):
        body = {"name": name, "agent": "moving", "overrides": overrides, **more}
        await shared.json("POST", ASSISTANTS, body, status=201)
    (shared.local.scratch / "project-moving/prompts/a.md").unlink()
    await shared.local.deploy("moving", {"agent.py": files["agent.py"]}, toml='entrypoint = "agent:work"\n')
    problem = await shared.problem("POST", "/v1/runs", {"assistant": "moves"}, status=422)
    assert "the overrides do not fit moving v2" in problem["detail"]
    pinned = await run(shared, "stays")
    assert (pinned["state"], pinned["version"], pinned["pinned"]) == ("completed", 1, True)
    plain = await run(shared, "moving")
    assert plain["version"] == 2
    again = f"/v1/runs/{pinned['id']}/replay"
    await shared.problem("POST", again, {"begin": "start", "version": 2}, status=422)


async def test_an_archived_assistant_takes_no_new_runs(shared: Served) -> None:
    name = await assistant(shared)
    await shared.json("DELETE", f"{ASSISTANTS}/{name}?message=unused")
    problem = await shared.problem("POST", "/v1/runs", {"assistant": name}, status=409)
    assert "is archived" in problem["detail"]
    listed = (await shared.json("GET", f"{ASSISTANTS}?agent=support&limit=1000"))["items"]
    assert name not in [each["name"] for each in listed]
    everything = (await shared.json("GET", f"{ASSISTANTS}?archived=true&limit=1000"))["items"]
    assert name in [each["name"] for each in everything]


async def test_pages_of_assistants_and_versions_go_on(shared: Served) -> None:
    name = await assistant(shared)
    for text in ("a", "b"):
        await shared.json("PATCH", f"{ASSISTANTS}/{name}", {"description": text})
    same = await shared.json("PATCH", f"{ASSISTANTS}/{name}", {"description": "b"})
    assert same["newest"] == 3
    await shared.problem("PATCH", f"{ASSISTANTS}/{name}", {"description": "c", "base": 2}, status=409)
    for path in (f"{ASSISTANTS}/{name}/versions", f"{ASSISTANTS}/{name}/history", ASSISTANTS):
        first = await shared.json("GET", f"{path}?limit=1")
        second = await shared.json("GET", f"{path}?limit=1&cursor={first['next']}")
        assert first["items"] != second["items"]
    await shared.problem("GET", f"{ASSISTANTS}/{name}/versions?cursor=eA", status=422)


async def test_a_run_of_an_agent_asks_nothing_about_assistants(
    shared: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = shared.services.store
    assert isinstance(store, SqlStore)
    await run(shared, "support")
    statements = count_statements(store.engine, monkeypatch)
    await shared.json("POST", "/v1/runs", {"agent": "support", "input": {}}, status=201)
    assert not [each for each in statements if "FROM assistant" in each]
    name = await assistant(shared)
    for asked in (2, 1):  # what its version makes of the release is worked out once
        statements.clear()
        await shared.json("POST", "/v1/runs", {"assistant": name, "input": {}}, status=201)
        found = [each for each in statements if "FROM assistant" in each or "INTO assistant" in each]
        assert len(found) == asked


async def test_a_key_with_a_scope_runs_only_assistants_of_its_agents(shared: Served) -> None:
    name = await assistant(shared)
    headers = {"authorization": f"Bearer {await shared.key_of('deployer', ['slow'])}"}
    await shared.problem("POST", "/v1/runs", {"assistant": name}, status=403, headers=headers)
    await shared.problem("PATCH", f"{ASSISTANTS}/{name}", {"description": "x"}, status=403, headers=headers)
    body = {"name": "foreign", "agent": "support"}
    await shared.problem("POST", ASSISTANTS, body, status=403, headers=headers)
    listed = (await shared.json("GET", f"{ASSISTANTS}?limit=1000", headers=headers))["items"]
    assert {each["agent"] for each in listed} <= {"slow"}


async def test_the_same_key_for_another_assistant_is_a_conflict(shared: Served) -> None:
    first, second = await assistant(shared), await assistant(shared)
    body = {"assistant": first, "input": {}, "idempotency_key": "order-1"}
    made = await shared.json("POST", "/v1/runs", body, status=201)
    assert (await shared.json("POST", "/v1/runs", body))["id"] == made["id"]
    await shared.problem("POST", "/v1/runs", {**body, "assistant": second}, status=409)
    await shared.problem("POST", "/v1/runs", {**body, "assistant_version": 1}, status=409)


async def test_clients_make_change_run_and_compare_assistants(shared: Served) -> None:
    with ao.Client(shared.url, shared.key) as client:
        assistants = client.assistants
        made = await thread(assistants.create, "by-client", "support", overrides={"timeout": "9s"})
        assert (made.version, made.config["overrides"]) == (1, {"timeout": 9.0})
        with pytest.raises(InvalidInput, match="fats"):
            await thread(assistants.update, "by-client", overrides={"models": {"fats": "x"}})
        await thread(assistants.update, "by-client", overrides={"timeout": None}, message="no limit")
        handle = await thread(client.run, assistant="by-client", input={}, wait=60)
        assert handle.view.assistant_version == 2
        waited = await thread(client.run_and_wait, None, {}, assistant="by-client", assistant_version=1)
        assert waited.view.assistant_version == 1
        listed = await thread(client.list_runs, assistant="by-client")
        assert [each.id for each in listed.items] == [waited.id, handle.id]
    async with ao.AsyncClient(shared.url, shared.key) as other:
        assert (await other.assistants.diff("by-client", 1, 2)).changes[0].path == "overrides.timeout"
        assert (await other.assistants.set_latest("by-client", 1)).version == 1
        ended = await (await other.run(assistant="by-client", input={})).wait()
        assert ended.view.assistant_version == 1
        moves = (await other.assistants.history("by-client")).items
        assert [move.action for move in moves] == ["set_latest", "updated", "created"]
        assert (await other.assistants.delete("by-client")).archived_at is not None
