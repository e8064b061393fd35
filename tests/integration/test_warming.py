"""Templates are there before the first run: after a deploy and after a rollback."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.local import Local, local_platform
from tests.served import until

from ao.domain.event import EventKind
from ao.ids import RunId
from ao.sandbox import Level, Template
from ao.sandbox.process.supervisor import tree
from ao.worker import warming

FUNCTION = 'entrypoint = "agent:work"'
PATIENCE_SECONDS = 90.0


def agent(answer: int) -> dict[str, str]:
    return {"agent.py": f"import json, decimal\ndef work(): return {answer}\n"}


@pytest.fixture
async def ao(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_WARM": "on"}) as local:
        if local.platform.executor.info.level is not Level.NAMESPACES:
            pytest.skip("runs start warm in namespaces only")
        yield local


async def settled(ao: Local, name: str, version: int) -> Template:
    """The template of a version, once it is there or will not be."""
    assert ao.platform.crew is not None
    warming = ao.platform.crew.warming
    assert warming is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            template = warming.template(name, version)
            if template is not None and (template.state == "ready" or template.why_cold):
                return template
            await asyncio.sleep(0.02)


async def started(ao: Local, run_id: RunId) -> tuple[object, object]:
    """(whether it started warm, why it did not)"""
    (event,) = [event for event in await ao.events(run_id) if event.kind is EventKind.ATTEMPT_STARTED]
    return event.data["warm"], event.data["why_cold"]


async def test_the_first_run_after_a_deploy_and_after_a_rollback_starts_warm(ao: Local) -> None:
    for answer in (1, 2):
        deployed = await ao.deploy("support", agent(answer), toml=FUNCTION)
        assert (await settled(ao, "support", deployed.version)).state == "ready"
        run = await ao.run("support")
        assert (await ao.output(run), await started(ao, run.id)) == (answer, (True, ""))
    await ao.platform.deployments.rollback("support", 1, reason="", actor="key:test")
    assert (await settled(ao, "support", 1)).state == "ready"
    run = await ao.run("support")
    assert (await ao.output(run), await started(ao, run.id)) == (1, (True, ""))


async def test_a_deployment_says_why_its_runs_start_cold(ao: Local) -> None:
    files = {"agent.py": "import socket\nheld = socket.socket()\ndef work(): return 1\n"}
    deployed = await ao.deploy("held", files, toml=FUNCTION)
    template = await settled(ao, "held", deployed.version)
    assert (template.state, template.why_cold) == ("cold", "the import leaves a socket open")
    (check,) = [view for view in [await look() for look in ao.platform.services.checks] if view.name == "warm"]
    assert "held v1 starts cold: the import leaves a socket open" in check.message


async def test_a_reason_that_quotes_the_agent_quotes_no_secret_and_nothing_that_is_no_text(ao: Local) -> None:
    await ao.platform.services.secrets.set("quoting", "TOKEN", "sk-very-secret", "key:test")
    code = "import os\nraise ValueError(os.environ['TOKEN'] + ' \\ud800 \x1b[31mbad')\ndef work(): ...\n"
    toml = f'{FUNCTION}\nsecrets = ["TOKEN"]\nretries = 0'
    deployed = await ao.deploy("quoting", {"agent.py": code}, toml=toml)
    why = "the import fails: ValueError: [secret] \ufffd bad"
    assert (await settled(ao, "quoting", deployed.version)).why_cold == why
    assert await started(ao, (await ao.run("quoting")).id) == (False, why)


async def test_a_child_that_dies_while_it_waits_costs_a_run_no_attempt(ao: Local) -> None:
    deployed = await ao.deploy("fragile", agent(1), toml=f"{FUNCTION}\nretries = 0")
    for _ in range(3):
        await settled(ao, "fragile", deployed.version)
        for pid in _waiting_children(ao):
            with contextlib.suppress(ProcessLookupError):  # that of the run before, at its end
                os.kill(pid, signal.SIGKILL)
        run = await ao.run("fragile")
        assert (await ao.output(run), run.head.attempt, run.head.failures) == (1, 1, 0)


async def test_a_template_that_dies_is_made_again_without_a_run(
    ao: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "LOOK_SECONDS", 0.05)
    deployed = await ao.deploy("mortal", agent(1), toml=FUNCTION)
    assert (await settled(ao, "mortal", deployed.version)).state == "ready"
    before = _templates(ao)
    for pid in before:
        with contextlib.suppress(ProcessLookupError):  # a child, once its template is gone
            os.kill(pid, signal.SIGKILL)

    async def renewed() -> bool:
        again = await settled(ao, "mortal", deployed.version)
        return again.state == "ready" and not before & _templates(ao)

    await until(renewed)


async def test_a_secret_that_changes_makes_another_template(ao: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "LOOK_SECONDS", 0.05)
    secrets = ao.platform.services.secrets
    await secrets.set("keyed", "TOKEN", "first", "key:test")
    await ao.deploy("keyed", agent(1), toml=f'{FUNCTION}\nsecrets = ["TOKEN"]')
    await settled(ao, "keyed", 1)
    await secrets.set("keyed", "TOKEN", "second", "key:test")

    async def renewed() -> bool:
        return "second" in {each.env["TOKEN"] for each in ao.platform.executor.templates()}

    await until(renewed)


def _templates(ao: Local) -> set[int]:
    """With their children."""
    (supervisor,) = ao.supervisors()
    return {pid for pid in tree.members(supervisor) if _arguments(pid).endswith(b"\0template\0")}


def _waiting_children(ao: Local) -> list[int]:
    templates = _templates(ao)
    return [pid for pid in templates if any(_parent(pid) == other for other in templates)]


def _arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
