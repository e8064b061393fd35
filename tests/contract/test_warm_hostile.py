"""Templates whose imports do harm: who is outside lives on, and runs start cold."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.warm import open_warm

from ao.sandbox import StopCause
from ao.sandbox.process import ProcessExecutor, WarmOptions, executor
from ao.sandbox.process.supervisor import tree
from ao.testing.sandbox_conformance.rig import Rig, finish

READY = """
    import os, socket, time
    supervisor = socket.socket(fileno=os.dup(3))
    supervisor.send(b'{"ready": true}')
    socket.recv_fds(supervisor, 100, 3)  # the order to fork
    """


@pytest.fixture
async def rig(root: Path) -> AsyncIterator[Rig]:
    opened = await open_warm(root, WarmOptions(slots=1))
    yield Rig(opened, root, root / "env", warm=True)
    await opened.close()


async def cold(rig: Rig, why: str) -> None:
    """Wait until there is no template for this reason."""
    assert isinstance(rig.executor, ProcessExecutor)
    async with asyncio.timeout(60):
        while not any(why in template.why_cold for template in rig.executor.templates()):
            assert not rig.executor.lost.is_set()
            await asyncio.sleep(0.02)


NONSENSE = [
    b'{"status": "x", "cpu": 0.0, "rss": 0}',
    b'{"status": 0}',
    b'{"status": 1%s, "cpu": 0.0, "rss": 0}' % (b"0" * 30),
    b'{"status": 0, "cpu": NaN, "rss": 0}',
    b'{"status": 0, "cpu": 0.0, "rss": 1e999}',
    b"[" * 60_000,
]


@pytest.mark.parametrize("said", NONSENSE, ids=[*map(str, range(len(NONSENSE)))])
async def test_nonsense_instead_of_the_end_of_a_run_ends_the_template_alone(rig: Rig, said: bytes) -> None:
    word = f"b'[' * {len(said)}" if len(said) > 1000 else repr(said)
    act = f"supervisor.send({word})\n    time.sleep(600)"
    spec = rig.spec(f"{READY}{act}")
    await rig.executor.prepare(spec)
    await cold(rig, "the template ended")


async def test_an_import_that_takes_more_memory_when_it_says_it_is_ready_is_ended(rig: Rig) -> None:
    await rig.executor.prepare(rig.spec(f"{READY}held = os.urandom(1 << 20) * 400\n    time.sleep(600)"))
    await cold(rig, "the template passes a limit")


@pytest.mark.parametrize("where", ["before", "after_in_child"])
async def test_a_fork_that_does_not_end_costs_a_run_time_and_no_more(
    rig: Rig, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_CHILD_SECONDS", 0.2)
    hook = f"import os, time\nos.register_at_fork({where}=lambda: time.sleep(600))"
    spec = rig.spec(f"{hook}\ndef main(): return 1")
    assert await rig.executor.prepare(spec) == ""
    ran = await finish(await rig.executor.start(spec))
    assert (ran.result, ran.info.warm) == (1, False)
    assert "did not begin" in ran.info.why_cold
    assert "did not begin" in await rig.executor.prepare(spec)


@pytest.mark.parametrize("warm", [True, False])
async def test_a_sandbox_ends_also_when_what_made_it_was_stopped(rig: Rig, warm: bool) -> None:
    assert isinstance(rig.executor, ProcessExecutor)
    spec = dataclasses.replace(rig.spec("import time\ndef main(): time.sleep(600)"), warm=warm)
    await rig.executor.prepare(spec)
    sandbox = await rig.executor.start(spec)
    children = tree.children(rig.executor.supervisor_pid)
    makers = [pid for pid in children if Path(f"/proc/{pid}/exe").readlink().name.startswith("bwrap")]
    assert len(makers) == 1
    os.kill(makers[0], signal.SIGSTOP)
    await sandbox.stop(StopCause.CANCELLED)
    assert (await finish(sandbox)).exit.cause is StopCause.CANCELLED
    await rig.executor.cool()


async def test_pauses_grow_until_a_run_has_ended_warm(rig: Rig) -> None:
    """An import that succeeds is not enough: the first fork may end the template again."""
    spec = rig.spec("""
        import os
        if os.path.exists(os.path.join(os.path.dirname(__file__), "broken")):
            os.register_at_fork(before=lambda: os._exit(3))
        def main(): return 1
        """)
    broken = spec.code_dir / "broken"
    broken.touch()
    assert isinstance(rig.executor, ProcessExecutor)
    failures = []
    async with asyncio.timeout(60):
        for number in range(1000):
            await rig.executor.prepare(spec)
            one = dataclasses.replace(spec, id=f"one-{number}")
            ran = await finish(await rig.executor.start(one))
            (group,) = rig.executor._warm._groups.values()
            failures.append(group.failures)
            if ran.info.warm:
                break
            if group.failures == 2:
                broken.unlink(missing_ok=True)
            await asyncio.sleep(0.05)
    assert sorted(set(failures)) == [0, 1, 2]
