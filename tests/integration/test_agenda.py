"""What is due is told at its instant, and found without hints; what others hold is not told again and again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.local import local_platform
from tests.served import ECHO, FUNCTION, until

from ao.bus import DELAYED
from ao.bus.local import LocalBus
from ao.control.agenda import Agenda
from ao.domain.errors import Unavailable
from ao.ids import new_run_id
from ao.store.agenda import Due, Look
from ao.store.records import NewRun, Payload
from ao.testing.store_contract import Harness

NEVER_SECONDS = 3600.0
SOON_SECONDS = 60.0


@asynccontextmanager
async def looking(harness: Harness, bus: LocalBus, seconds: float) -> AsyncIterator[Agenda]:
    agenda = Agenda(harness.store.agenda, bus, seconds)
    task = asyncio.create_task(agenda.run_forever())
    try:
        yield agenda
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled(), task.exception()


async def in_time(harness: Harness, seconds: float) -> None:
    """A run that is cancelled when no worker takes it until then; nobody is told of it."""
    await harness.store.runs.create(replace(harness.new_run(), queue_seconds=seconds))


async def test_it_sleeps_until_the_instant_that_it_knows(harness: Harness) -> None:
    await in_time(harness, 0.3)
    async with looking(harness, LocalBus(), NEVER_SECONDS) as agenda:
        await asyncio.wait_for(agenda.due(Due.RUNS), SOON_SECONDS)
        look = await harness.store.agenda.look()
        assert look.next_us[Due.RUNS] <= look.now_us


async def test_a_hint_or_else_a_look_tells_of_what_others_wrote(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = harness.store.agenda.look, list[Look]()

    async def seen() -> Look:
        looks.append(await look())
        return looks[-1]

    monkeypatch.setattr(harness.store.agenda, "look", seen)
    bus = LocalBus()
    for seconds in (NEVER_SECONDS, 0.05):
        looks.clear()
        async with looking(harness, bus, seconds) as agenda:
            await until(lambda: _reached(looks, 1))
            told = asyncio.create_task(agenda.due(Due.RUNS))  # who asks makes it look
            await until(lambda: _reached(looks, 2))
            await in_time(harness, 0.0)
            if seconds == NEVER_SECONDS:
                assert not told.done()
                bus.publish(DELAYED)
            await asyncio.wait_for(told, SOON_SECONDS)
        for run_id in await harness.store.runs.overdue(10):
            await harness.store.runs.expire(run_id)


async def _reached(looks: list[Look], count: int) -> bool:
    return len(looks) >= count


async def test_what_stays_due_is_told_after_a_pause_and_what_comes_after_it_at_once(harness: Harness) -> None:
    """Somebody else holds it."""
    await in_time(harness, 0.0)
    async with looking(harness, LocalBus(), 0.05) as agenda:
        for _ in range(3):
            await asyncio.wait_for(agenda.due(Due.RUNS), SOON_SECONDS)
    async with looking(harness, LocalBus(), NEVER_SECONDS) as agenda:
        await asyncio.wait_for(agenda.due(Due.RUNS), SOON_SECONDS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(agenda.due(Due.RUNS), 0.1)
        (run_id,) = await harness.store.runs.overdue(10)
        await in_time(harness, 0.0)
        await harness.store.runs.expire(run_id)
        await asyncio.wait_for(agenda.due(Due.RUNS), SOON_SECONDS)


async def test_it_goes_on_when_the_store_is_back(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    look, looks = harness.store.agenda.look, list[int]()

    async def cut_off() -> Look:
        looks.append(1)
        if len(looks) < 3:
            raise Unavailable("the store is away")
        return await look()

    monkeypatch.setattr(harness.store.agenda, "look", cut_off)
    await in_time(harness, 0.0)
    async with looking(harness, LocalBus(), 0.05) as agenda:
        await asyncio.wait_for(agenda.due(Due.RUNS), SOON_SECONDS)
    assert len(looks) >= 3


async def test_a_run_whose_hint_was_lost_is_claimed_with_the_next_heartbeat(tmp_path: Path) -> None:
    async with local_platform(tmp_path, {"AO_HEARTBEAT_SECONDS": "0.2"}) as ao:
        await ao.deploy("echo", ECHO, toml=FUNCTION)
        await ao.run("echo", 1)
        new = NewRun(new_run_id(), "echo", "prod", Payload("2"), "key:test")
        await ao.platform.store.runs.create(new)
        assert await ao.output(await ao.result(new.id)) == 2
