"""Cron schedules through deploys, rollbacks and restarts. A downtime is made by moving ticks back."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.local import WAIT_SECONDS, Local, local_platform

from ao.bus import READY
from ao.clock import to_datetime
from ao.domain.schedule import MAX_CAUGHT_UP
from ao.store.records import Run, RunFilter
from ao.store.schedules import Schedule, TickFilter

AGENT = {"agent.py": "def work(task): return task"}
FUNCTION = 'entrypoint = "agent:work"'
HOUR_US = 3_600_000_000


def toml(cron: str, more: str = "") -> str:
    return f'{FUNCTION}\ncron = "{cron}"\n{more}'


def hourly() -> str:
    """Every hour, and not within the next half."""
    return f"{(datetime.now(UTC).minute + 35) % 60} * * * *"


def daily(minute: int = 0) -> str:
    """Once a day, and not within the next half."""
    return f"{minute} {(datetime.now(UTC).hour + 12) % 24} * * *"


async def schedule_of(ao: Local, agent: str) -> Schedule:
    (schedule,) = await ao.platform.schedules.list(agent)
    return schedule


async def runs_of(ao: Local, agent: str, count: int) -> Sequence[Run]:
    """The first `count` runs of an agent, oldest first, as soon as they are there."""
    with ao.platform.bus.subscribe(READY) as ready:
        while len(found := await ao.platform.store.runs.list(RunFilter(agent=agent), 500)) < count:
            assert await ready.wait(WAIT_SECONDS), f"{len(found)} of {count} runs came"
    return sorted(found, key=lambda run: run.id)


def pass_time(home: Path, microseconds: int) -> None:
    """As if a server that is down had been down for so long: the next tick lies so far back."""
    database = sqlite3.connect(home / "ao.db")
    with database:
        database.execute("UPDATE schedule SET next_us = next_us - ?", (microseconds,))
    database.close()


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        ('missed = "skip"', 0),
        ('missed = "latest"', 1),
        ('missed = "all"', 4),
        ('missed = "all"\ncatch_up = "150m"', 3),
    ],
)
async def test_ticks_of_a_downtime_follow_the_policy(tmp_path: Path, policy: str, count: int) -> None:
    async with local_platform(tmp_path) as ao:
        await ao.deploy("hourly", AGENT, toml=toml(hourly(), policy))
        before = await schedule_of(ao, "hourly")
    pass_time(tmp_path / "home", 4 * HOUR_US)
    async with local_platform(tmp_path, worker=False) as ao:
        with ao.platform.bus.subscribe(READY) as ready:
            while (await schedule_of(ao, "hourly")).next_us != before.next_us:
                await ready.wait(0.05)
        runs = await ao.platform.store.runs.list(RunFilter(agent="hourly"), 10)
        assert len(runs) == count
        assert (await schedule_of(ao, "hourly")).next_us == before.next_us
        ticks = await ao.platform.schedules.history("hourly", "cron", TickFilter(), 10)
        assert [tick.outcome.ran for tick in ticks] == [True] * count + [False] * (4 - count)
        assert (await ao.platform.store.workers.counts())["ready"] == min(count, 1)  # one after the other
    async with local_platform(tmp_path, worker=False) as ao:  # once more: nothing fires again
        assert len(await ao.platform.store.runs.list(RunFilter(agent="hourly"), 10)) == count


async def test_a_long_downtime_is_told_in_one_line_beyond_the_newest_ticks(tmp_path: Path) -> None:
    async with local_platform(tmp_path) as ao:
        await ao.deploy("hourly", AGENT, toml=toml(hourly(), 'missed = "latest"'))
    pass_time(tmp_path / "home", 500 * HOUR_US)  # history is kept for longer
    async with local_platform(tmp_path, worker=False) as ao:
        await runs_of(ao, "hourly", 1)
        ticks = await ao.platform.schedules.history("hourly", "cron", TickFilter(), 1000)
        assert len(ticks) == MAX_CAUGHT_UP + 1
        assert ticks[-1].tick_us == ticks[0].tick_us - 499 * HOUR_US
        assert ticks[-1].reason.startswith("missed with all later ones before ")


async def test_a_rollback_brings_the_old_timetable_back(tmp_path: Path) -> None:
    async with local_platform(tmp_path) as ao:
        await ao.deploy("moved", AGENT, toml=toml(daily(), 'timezone = "Europe/Berlin"'))
        first = await schedule_of(ao, "moved")
        later = daily(30)
        await ao.deploy("moved", AGENT, toml=toml(later))
        second = await schedule_of(ao, "moved")
        assert (second.id, second.cron, second.timezone) == (first.id, later, "UTC")
        at = to_datetime(second.next_us or 0)
        assert f"{at.minute} {at.hour} * * *" == later
        await ao.platform.deployments.rollback("moved", 1, "", "key:test")
        assert await schedule_of(ao, "moved") == replace(first, revision=2)
        await ao.deploy("moved", AGENT, toml=FUNCTION)
        assert list(await ao.platform.schedules.list("moved")) == []
        await ao.platform.deployments.rollback("moved", 1, "", "key:test")
        again = await schedule_of(ao, "moved")
        assert (again.id, again.cron, again.next_us) == (first.id, first.cron, first.next_us)


async def test_a_users_idempotency_key_does_not_stop_a_schedule(tmp_path: Path) -> None:
    async with local_platform(tmp_path) as ao:
        await ao.deploy("keyed", AGENT, toml=toml(hourly()))
        schedule = await schedule_of(ao, "keyed")
        assert schedule.next_us is not None
        tick = schedule.next_us - HOUR_US
        mine = await ao.submit("keyed", "mine", idempotency_key=f"schedule:{schedule.id}:{tick}")
        await ao.result(mine)
    pass_time(tmp_path / "home", HOUR_US)
    async with local_platform(tmp_path) as ao:
        runs = await runs_of(ao, "keyed", 2)
        assert [run.actor for run in runs] == ["key:test", f"schedule:{schedule.id}"]


async def test_a_schedule_that_cannot_be_computed_does_not_stop_the_others(tmp_path: Path) -> None:
    async with local_platform(tmp_path) as ao:
        await ao.deploy("lost", AGENT, toml=toml(hourly()))
        await ao.deploy("other", AGENT, toml=toml(hourly()))
    database = sqlite3.connect(tmp_path / "home" / "ao.db")
    with database:
        database.execute("UPDATE schedule SET timezone = 'No/Where' WHERE agent = 'lost'")
    database.close()
    pass_time(tmp_path / "home", HOUR_US)
    async with local_platform(tmp_path) as ao:
        assert len(await runs_of(ao, "other", 1)) == 1


async def test_two_servers_on_one_database_fire_each_tick_once(tmp_path: Path, postgres_url: str) -> None:
    variables = {"AO_DATABASE_URL": postgres_url}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with local_platform(tmp_path / "one", variables, worker=False) as one:
        await one.deploy("often", AGENT, toml=toml("* * * * * *", 'overlap = "allow"\nmissed = "all"'))
        async with local_platform(tmp_path / "two", variables, worker=False) as two:
            schedule = await schedule_of(one, "often")
            while len(ticks := await two.platform.schedules.history("often", "cron", TickFilter(), 100)) < 4:
                await asyncio.gather(*(ao.platform.ticker.fire_due() for ao in (one, two)))
                await asyncio.sleep(0.01)
        await one.platform.schedules.pause("often", "cron", "", "key:test")
        ticks = await one.platform.schedules.history("often", "cron", TickFilter(), 100)
        runs = await one.platform.store.runs.list(RunFilter(agent="often"), 100)
        assert sorted(run.tick_us or 0 for run in runs) == [tick.tick_us for tick in reversed(ticks)]
        assert {run.schedule_id for run in runs} == {schedule.id}
        assert {run.id for run in runs} == {tick.run_id for tick in ticks}
