"""Every change leaves an entry: who, what, when, on what, from where."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.served import ECHO, FUNCTION, Served, served, thread

import ao
from ao.server.roles import RULES
from ao.store.records import Webhook
from ao.store.sql.engine import ClockOffset
from ao.testing.store_contract import Harness
from ao.testing.store_contract.harness import AGENT, failed

Change = Callable[[Served, Path], Awaitable[object]]


async def _set_secret(api: Served, _: Path) -> object:
    return await api.json("PUT", "/v1/secrets/TOKEN?agent=echo", {"value": "very-secret"})


async def _delete_secret(api: Served, scratch: Path) -> object:
    await _set_secret(api, scratch)
    return await api.http.delete("/v1/secrets/TOKEN?agent=echo")


async def _create_key(api: Served, _: Path) -> Any:
    return await api.json("POST", "/v1/keys", {"name": "ci", "role": "viewer"}, status=201)


async def _revoke_key(api: Served, scratch: Path) -> object:
    made = await _create_key(api, scratch)
    return await api.json("DELETE", f"/v1/keys/{made['key']['id']}")


async def _deploy(api: Served, scratch: Path) -> object:
    project = scratch / "echo"
    project.mkdir(exist_ok=True)
    (project / "ao.toml").write_text(f'name = "echo"\n{FUNCTION}\n')
    (project / "agent.py").write_text(ECHO["agent.py"])
    with ao.Client(api.url, api.key) as client:
        deployment = await thread(client.deploy, project, message="first")
        return await thread(deployment.wait)


async def _rollback(api: Served, scratch: Path) -> object:
    for _ in range(2):
        await _deploy(api, scratch)
    return await api.json("POST", "/v1/agents/echo/rollback", {"to": 1, "reason": "worse"})


async def _cancel(api: Served, _: Path) -> object:
    harness = Harness(api.services.store, api.services.store, ClockOffset())
    await harness.deploy("echo")
    run = await api.services.store.runs.create(harness.new_run("echo"))
    return await api.json("POST", f"/v1/runs/{run.run_id}/cancel")


async def _drain(api: Served, _: Path) -> object:
    worker_id = await Harness(api.services.store, api.services.store, ClockOffset()).register()
    return await api.json("POST", f"/v1/workers/{worker_id}/drain")


async def _replay_webhook(api: Served, _: Path) -> object:
    harness = Harness(api.services.store, api.services.store, ClockOffset())
    await harness.deploy("echo")
    new = replace(harness.new_run("echo"), webhook=Webhook("https://example.invalid/", "SIGNING"))
    run = await api.services.store.runs.create(new)
    await api.services.store.runs.cancel(run.run_id, "key:test")
    (delivery,) = (await api.json("GET", "/v1/webhooks"))["items"]
    return await api.json("POST", f"/v1/webhooks/{delivery['id']}/replay")


async def _failed(api: Served) -> str:
    """A run that failed for good."""
    harness = Harness(api.services.store, api.services.store, ClockOffset())
    _, claim = await harness.running()
    await harness.finish(claim, failed(permanent=True))
    return claim.run_id


async def _replay_run(api: Served, _: Path) -> object:
    return await api.json("POST", f"/v1/runs/{await _failed(api)}/replay", {"begin": "start"}, status=201)


async def _replay_dead_letters(api: Served, _: Path) -> object:
    body = {"runs": [await _failed(api)], "begin": "start"}
    return await api.json("POST", f"/v1/agents/{AGENT}/dead-letters/replay", body)


async def _purge(api: Served, _: Path) -> object:
    await _failed(api)
    return await api.json("DELETE", "/v1/dead-letters?older_than=0")


async def _schedule(api: Served, _: Path) -> str:
    """The path of a schedule."""
    await Harness(api.services.store, api.services.store, ClockOffset()).deploy("echo")
    body = {"agent": "echo", "name": "nightly", "cron": "0 3 * * *"}
    await api.json("POST", "/v1/schedules", body, status=201)
    return "/v1/schedules/echo/nightly"


def _on_schedule(method: str, rest: str = "", body: object = None) -> Change:
    async def change(api: Served, scratch: Path) -> object:
        answer = await api.http.request(method, await _schedule(api, scratch) + rest, json=body)
        assert answer.is_success, answer.text
        return answer

    return change


async def _resume(api: Served, scratch: Path) -> object:
    path = await _schedule(api, scratch)
    await api.json("POST", f"{path}/pause", {})
    return await api.json("POST", f"{path}/resume")


async def _gc(api: Served, _: Path) -> object:
    return await api.json("POST", "/v1/gc")


async def _session(api: Served) -> str:
    """The path of a session."""
    harness = Harness(api.services.store, api.services.store, ClockOffset())
    await harness.deploy("echo")
    await api.json("POST", "/v1/sessions", {"agent": "echo", "id": "s", "state": {"n": 1}}, status=201)
    return "/v1/sessions/echo/s"


async def _create_session(api: Served, _: Path) -> object:
    return await _session(api)


async def _edit_session(api: Served, _: Path) -> object:
    return await api.json("PATCH", await _session(api), {"state": {"n": "very-secret"}})


async def _restore_session(api: Served, scratch: Path) -> object:
    await _edit_session(api, scratch)
    return await api.json("POST", "/v1/sessions/echo/s/restore", {"version": 1})


async def _copy_session(api: Served, _: Path) -> object:
    return await api.json("POST", f"{await _session(api)}/copy", {}, status=201)


async def _delete_session(api: Served, _: Path) -> object:
    return await api.json("DELETE", await _session(api))


async def _upload(api: Served, scratch: Path) -> object:
    await _session(api)
    with ao.Client(api.url, api.key) as client:
        return await thread(client.sessions.upload, "echo", "s", scratch / "home" / "logs")


async def _create_assistant(api: Served, scratch: Path) -> object:
    await _deploy(api, scratch)
    return await api.json("POST", "/v1/assistants", {"name": "brief", "agent": "echo"}, status=201)


async def _update_assistant(api: Served, scratch: Path) -> object:
    await _create_assistant(api, scratch)
    return await api.json("PATCH", "/v1/assistants/brief", {"description": "x"})


async def _set_latest_assistant(api: Served, scratch: Path) -> object:
    await _update_assistant(api, scratch)
    return await api.json("POST", "/v1/assistants/brief/latest", {"version": 1})


async def _delete_assistant(api: Served, scratch: Path) -> object:
    await _create_assistant(api, scratch)
    return await api.json("DELETE", "/v1/assistants/brief")


CHANGES: Mapping[str, tuple[Change, str]] = {
    "set_secret": (_set_secret, "secret.set"),
    "delete_secret": (_delete_secret, "secret.delete"),
    "create_key": (_create_key, "key.create"),
    "revoke_key": (_revoke_key, "key.revoke"),
    "create_deployment": (_deploy, "deployment.create"),
    "rollback_agent": (_rollback, "agent.rollback"),
    "create_assistant": (_create_assistant, "assistant.create"),
    "update_assistant": (_update_assistant, "assistant.update"),
    "set_latest_assistant": (_set_latest_assistant, "assistant.set_latest"),
    "delete_assistant": (_delete_assistant, "assistant.delete"),
    "cancel_run": (_cancel, "run.cancel"),
    "replay_webhook": (_replay_webhook, "webhook.replay"),
    "replay_run": (_replay_run, "run.replay"),
    "replay_dead_letters": (_replay_dead_letters, "run.replay"),
    "purge_dead_letters": (_purge, "dead_letters.purge"),
    "create_session": (_create_session, "session.create"),
    "edit_session": (_edit_session, "session.edit"),
    "restore_session": (_restore_session, "session.restore"),
    "copy_session": (_copy_session, "session.copy"),
    "delete_session": (_delete_session, "session.delete"),
    "replace_workspace": (_upload, "session.upload"),
    "collect_garbage": (_gc, "server.gc"),
    "drain_worker": (_drain, "worker.drain"),
    "create_schedule": (_schedule, "schedule.create"),
    "update_schedule": (_on_schedule("PATCH", body={"priority": 5}), "schedule.update"),
    "delete_schedule": (_on_schedule("DELETE"), "schedule.delete"),
    "pause_schedule": (_on_schedule("POST", "/pause", {}), "schedule.pause"),
    "resume_schedule": (_resume, "schedule.resume"),
    "trigger_schedule": (_on_schedule("POST", "/trigger", {}), "schedule.trigger"),
    "backfill_schedule": (
        _on_schedule("POST", "/backfill", {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}),
        "schedule.backfill",
    ),
}
"""Operation → what does it, and the entry that it leaves."""

ELSEWHERE = {"answer_question", "fork_run"}
"""An answer has a test of its own, because it takes a worker; a fork is noted by what notes a replay."""
NOT_NOTED = {"create_run", "create_run_wait", "create_run_stream", "create_login_link"}
"""A run's own log says who started it; a link gives nothing that its key has not."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as api:
        yield api


async def test_every_operation_that_changes_something_is_in_the_table(api: Served) -> None:
    document = await api.json("GET", "/v1/openapi.json")
    changing = {
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "get"
    }
    assert changing & set(RULES) == set(CHANGES) | ELSEWHERE | NOT_NOTED


@pytest.mark.parametrize("operation", CHANGES)
async def test_a_change_is_noted(api: Served, tmp_path: Path, operation: str) -> None:
    change, action = CHANGES[operation]
    await change(api, tmp_path)
    page = await api.json("GET", f"/v1/audit?actor=key:local&action={action}")
    (entry,) = page["items"]
    assert (entry["actor"], entry["source"]) == ("key:local", "127.0.0.1")
    assert entry["request_id"]
    assert entry["key_id"]
    assert "very-secret" not in str(page)


async def test_filters_and_pages(api: Served, tmp_path: Path) -> None:
    await _delete_secret(api, tmp_path)
    await _create_key(api, tmp_path)
    first = await api.json("GET", "/v1/audit?limit=1")
    assert [entry["action"] for entry in first["items"]] == ["key.create"]
    second = await api.json("GET", f"/v1/audit?limit=1&cursor={first['next']}")
    assert [entry["action"] for entry in second["items"]] == ["secret.delete"]
    of_agent = await api.json("GET", "/v1/audit?agent=echo&target=secret:TOKEN&action=secret.")
    assert [entry["action"] for entry in of_agent["items"]] == ["secret.delete", "secret.set"]
    nothing = await api.json("GET", "/v1/audit", params={"until": "2020-01-01T00:00:00Z"})
    assert nothing == {"items": [], "next": None}
    await api.problem("GET", "/v1/audit?since=yesterday", status=422)


async def test_what_the_server_does_by_itself_has_no_source(api: Served) -> None:
    (entry,) = (await api.json("GET", "/v1/audit?actor=system"))["items"]
    assert (entry["action"], entry["source"], entry["details"]["name"]) == ("key.create", "", "local")
