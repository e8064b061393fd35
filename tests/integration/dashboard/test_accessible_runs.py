"""Pages about runs in every state, in a real browser: accessible, and as wide as the window, in both themes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser
from pydantic import JsonValue
from tests.chromium import desk, findings, fits
from tests.served import Served, served

from ao.domain.run import RunState
from ao.ids import new_deployment_id
from ao.store.records import NewDeployment

AGENT = r"""
import sys, time
from ao_runner import approve, ask, session, sleep, span, step

@step
def fetch(name):
    time.sleep(0.01)
    return name.upper()

@step
def pay(cents):
    raise ValueError(f"{cents} is too much")

def work(task):
    print("\x1b[1mstarted\x1b[0m", flush=True)
    print("careful", file=sys.stderr, flush=True)
    with span("gather"):
        for name in ("orders", "customers"):
            fetch(name)
    while task.get("lines"):
        print("going on", flush=True)
        time.sleep(0.2)
    if "schema" in task:
        ask("How much goes back?", schema=task["schema"], details={"order": "A-17"}, timeout=3600)
    if task.get("approve"):
        approve("Refund 12.50 to the customer?", details={"order": "A-17", "cents": 1250})
    if task.get("sleep"):
        sleep(3600)
    if task.get("say"):
        session.add("user", task["say"])
        session.add("assistant", {"heard": task["say"]})
        (session.workspace / "notes.txt").write_text(task["say"])
    if task.get("pay"):
        pay(task["pay"])
"""
TOML = 'entrypoint = "agent:work"\nretries = { max_retries = 1, initial_delay = 0.05, jitter = false }'
NEVER_US = 3_600_000_000
"""The lease of a build that goes on as long as the test."""
SCHEMA: JsonValue = {
    "type": "object",
    "required": ["cents", "tone"],
    "properties": {
        "cents": {"type": "integer", "description": "What goes back, in cents"},
        "tone": {"enum": ["warm", "formal"]},
        "note": {"type": "string"},
        "lines": {"type": "array"},
    },
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, {"AO_SLOTS": "4"}, worker=True) as running:
        await running.local.deploy("refunds", {"agent.py": AGENT}, toml=TOML)
        yield running


async def paths_of(server: Served) -> list[str]:
    """Pages about a run in each state, and what leads on from there."""
    local = server.local
    failed, live = await local.run("refunds", {"pay": 12}), await local.submit("refunds", {"lines": True})
    asking = await local.submit("refunds", {"schema": SCHEMA})
    approving = await local.submit("refunds", {"approve": True})
    sleeping = await local.submit("refunds", {"sleep": True})
    for run_id in (asking, approving):
        await local.until_state(run_id, RunState.PAUSED)
    await local.until_state(sleeping, RunState.PENDING, attempt=1)
    await local.run("refunds", {"say": "Where is my order?"}, session="chat-1")
    await local.until_line(live, "going on")
    replay = await local.platform.services.replays.replay(
        failed.id, scratch=False, version=None, actor="key:test"
    )
    await local.result(replay.run.id)
    (question,) = (await server.json("GET", f"/v1/questions?run={asking}"))["items"]
    (group,) = await server.json("GET", "/v1/dead-letters/groups")
    await server.json("POST", "/v1/assistants", {"name": "night", "agent": "refunds"}, status=201)
    await server.json("PATCH", "/v1/assistants/night", {"description": "By night"})
    store = local.platform.store.deployments
    first = await store.get("refunds", 1)
    await store.create(
        NewDeployment(new_deployment_id(), "refunds", "key:test", first.source_digest, "", NEVER_US)
    )
    letters = f"/agents/refunds/failures/{group['fingerprint']}"
    return [
        *(f"/runs/{run_id}" for run_id in (failed.id, live, asking, approving, sleeping, replay.run.id)),
        *(f"/runs/{failed.id}/{what}" for what in ("again", "replay", "fork")),
        "/inbox",
        f"/runs/{asking}/questions/{question['id']}",
        f"{letters}?show=replayed",
        f"{letters}/replay",
        "/agents/refunds/deployments/2",
        "/assistants",
        "/agents/refunds/assistants/night",
        "/sessions",
        *(f"/agents/refunds/sessions/chat-1{part}" for part in ("", "/history", "/files")),
    ]


async def test_pages_of_runs_are_accessible_in_every_state(server: Served, browser: Browser) -> None:
    paths = await paths_of(server)
    themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for theme, narrow in [(theme, narrow) for theme in themes for narrow in (False, True)]:
        async with desk(browser, theme=theme, narrow=narrow) as visitor:
            await visitor.log_in(server.url, server.key)
            page = await visitor.tab()
            for path in paths:
                await page.goto(f"{server.url}/ui{path}")
                where = f"{path}, {theme}, {'narrow' if narrow else 'wide'}"
                assert await findings(page) == [], where
                assert await fits(page), f"{where} is wider than the window"
