"""When templates are made, and that nobody waits for one in vain."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.warm import open_warm

from ao.sandbox import StopCause
from ao.sandbox.process import ProcessExecutor, WarmOptions
from ao.sandbox.process.box import ProcessSandbox
from ao.sandbox.process.users import Users
from ao.testing.sandbox_conformance.rig import Rig, finish

LONG = "import time\ndef main(seconds): time.sleep(seconds)"
Opening = Callable[[WarmOptions], AbstractAsyncContextManager[tuple[ProcessExecutor, Rig]]]


@pytest.fixture
def opened(root: Path) -> Opening:
    @asynccontextmanager
    async def opened(options: WarmOptions) -> AsyncIterator[tuple[ProcessExecutor, Rig]]:
        executor = await open_warm(root, options)
        try:
            yield executor, Rig(executor, root, root / "env", warm=True)
        finally:
            async with asyncio.timeout(90):
                await executor.close()

    return opened


async def test_templates_are_looked_after_while_all_of_one_have_long_runs(opened: Opening) -> None:
    async with opened(WarmOptions(slots=1)) as (executor, rig):
        spec = rig.spec(LONG, 600)
        assert await executor.prepare(spec) == ""
        long = await executor.start(spec)
        async with asyncio.timeout(60):
            assert await executor.prepare(spec) == ""
            assert await executor.prepare(rig.spec("def main(): return 1")) == ""
        await long.stop(StopCause.CANCELLED)
        await finish(long)


async def test_a_template_that_finds_no_room_at_its_turn_keeps_none_from_being_made(opened: Opening) -> None:
    async with opened(WarmOptions(slots=1)) as (executor, rig):
        assert await executor.prepare(rig.spec(LONG, 600)) == ""
        (template,) = executor.templates()
    room = int(3.5 * template.memory_bytes)
    async with opened(WarmOptions(slots=3, memory_bytes=room)) as (executor, rig):
        crowded, slow = rig.spec(LONG, 600), rig.spec("import time\ntime.sleep(1)\ndef main(): return 1")
        assert await executor.prepare(crowded) == ""
        runs = [await executor.start(crowded)]
        assert await executor.prepare(crowded) == ""  # its second slot
        making = asyncio.create_task(executor.prepare(slow))
        await asyncio.sleep(0.2)
        runs.append(await executor.start(dataclasses.replace(crowded, id="another")))
        async with asyncio.timeout(60):
            assert await executor.prepare(rig.spec("def main(): return 2")) == ""
            await making
        for run in runs:
            await run.stop(StopCause.CANCELLED)
            await finish(run)


async def test_without_a_user_for_it_a_template_is_not_waited_for(opened: Opening) -> None:
    async with opened(WarmOptions()) as (executor, rig):
        executor._users = Users(2_000_000_000, 0)
        async with asyncio.timeout(60):
            assert "uids for sandboxes are taken" in await executor.prepare(rig.spec("def main(): return 1"))


async def test_an_old_slot_stays_while_its_successor_cannot_be_made(opened: Opening, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    async with opened(WarmOptions(slots=1, runs=3)) as (executor, rig):
        spec = rig.spec("import marks\ndef main(): return 1")
        marks = spec.code_dir / "marks.py"
        marks.write_text("")
        warm = []
        for number in range(6):
            if number == 1:
                marks.write_text("raise ValueError('not now')")
            await executor.prepare(spec)
            sandbox = await executor.start(dataclasses.replace(spec, id=f"one-{number}"))
            warm.append((await finish(sandbox)).info.warm)
            await asyncio.sleep(0.3)
        assert warm == [True] * 6


async def test_an_old_slot_that_has_others_beside_it_makes_no_room_for_its_successor(opened: Opening) -> None:
    """They serve meanwhile, and a template of another agent stays."""
    async with opened(WarmOptions(slots=1)) as (executor, rig):
        assert await executor.prepare(rig.spec("def main(): return 1")) == ""
        (template,) = executor.templates()
    room = int(3.5 * template.memory_bytes)
    async with opened(WarmOptions(slots=2, memory_bytes=room, runs=20)) as (executor, rig):
        other, used = rig.spec("def main(): return 1"), rig.spec("def main(): return 2")
        assert await executor.prepare(other) == ""
        slots, both = set[str](), False
        for number in range(1000):
            assert await executor.prepare(used) == ""
            sandbox = await executor.start(dataclasses.replace(used, id=f"one-{number}"))
            assert isinstance(sandbox, ProcessSandbox)
            assert (await finish(sandbox)).info.warm
            both = both or executor.templates()[1].memory_bytes > 1.5 * template.memory_bytes
            if both:
                assert executor.templates()[0].state == "ready"
                slots.add(sandbox.slot_id)
            if len(slots) == 4:
                return
        pytest.fail("no slot was replaced")
