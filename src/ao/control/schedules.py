"""Runs that start by themselves: each tick of a schedule becomes one run, once."""

import asyncio
import json
import random
from collections.abc import Sequence

from ao.blobs import BlobStore
from ao.bus import READY, SCHEDULES, Bus
from ao.control.cron import due_ticks, next_tick
from ao.control.payloads import Payloads, dump
from ao.domain.agent_config import AgentConfig
from ao.domain.deployment import DEFAULT_ENVIRONMENT, Pointer
from ao.domain.errors import Unavailable
from ao.ids import ScheduleId, new_run_id, new_schedule_id
from ao.logs import get_logger
from ao.store import Store
from ao.store.records import NewRun, Schedule

log = get_logger(__name__)

ON_TIME_US = 60_000_000
"""A tick that is handled within this time was not missed."""
MAX_IDLE_SECONDS = 10.0
"""A change that another process made, and whose hint was lost, is seen by then."""
RETRY_SECONDS = 1.0


def declared(config: AgentConfig, now_us: int) -> Schedule | None:
    """The schedule that a release asks for, with its first tick after now."""
    if config.cron is None:
        return None
    return Schedule(
        id=new_schedule_id(),
        agent=config.name,
        environment=DEFAULT_ENVIRONMENT,
        cron=config.cron,
        timezone=config.timezone,
        missed=config.missed,
        next_us=next_tick(config.cron, config.timezone, now_us),
        last_tick_us=None,
        last_run_id=None,
        paused=False,
    )


def chosen_ticks(due: Sequence[int], missed: str, now_us: int) -> Sequence[int]:
    """Which of the due ticks become runs: a punctual one always, missed ones by policy."""
    if missed == "all":
        return due
    if due and (missed == "latest" or now_us - due[-1] <= ON_TIME_US):
        return due[-1:]
    return []


class Schedules:
    def __init__(self, store: Store, blobs: BlobStore, bus: Bus) -> None:
        self._store = store
        self._payloads = Payloads(blobs)
        self._bus = bus
        self._broken: set[ScheduleId] = set()

    def _tell_broken(self, schedule: Schedule, error: Exception) -> None:
        """Once. One schedule that cannot be computed does not stop the others."""
        if schedule.id not in self._broken:
            self._broken.add(schedule.id)
            log.error(
                "schedule cannot be computed", agent=schedule.agent, cron=schedule.cron, error=repr(error)
            )

    async def list(self, agent: str | None = None) -> Sequence[Schedule]:
        return await self._store.schedules.list(agent)

    async def run_forever(self) -> None:
        """Fire ticks as they come; any number of replicas may do this at the same time."""
        with self._bus.subscribe(SCHEDULES) as hints:
            while True:
                idle = RETRY_SECONDS
                try:
                    await self.fire_due()
                    idle = await self._seconds_to_next()
                    if self._broken:
                        idle = max(idle, RETRY_SECONDS)  # they stay due
                except Unavailable as error:
                    log.warning("schedules not looked at", error=str(error))
                await hints.wait(idle)

    async def _seconds_to_next(self) -> float:
        idle = MAX_IDLE_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - spreads replicas
        next_us = await self._store.schedules.next_due_us()
        if next_us is None:
            return idle
        now_us = await self._store.schedules.now_us()
        return max(0.0, min((next_us - now_us) / 1e6, idle))

    async def fire_due(self) -> int:
        """Make the runs of all ticks that have come; returns how many."""
        fired = 0
        for schedule in await self._store.schedules.due(100):
            try:
                fired += await self._fire(schedule, await self._store.schedules.now_us())
            except (ValueError, LookupError) as error:  # a zone that this machine does not know, for one
                self._tell_broken(schedule, error)
            await asyncio.sleep(0)
        if fired:
            self._bus.publish(READY)
        return fired

    async def _fire(self, schedule: Schedule, now_us: int) -> int:
        due = due_ticks(schedule.cron, schedule.timezone, schedule.next_us, now_us)
        chosen = chosen_ticks(due, schedule.missed, now_us)
        next_us = next_tick(schedule.cron, schedule.timezone, now_us)
        live = await self._store.agents.pointer(schedule.agent, schedule.environment, Pointer.STABLE)
        config = json.loads(live.release.config) if live and live.release else {}
        payload = await self._payloads.keep(dump(config.get("cron_input", {})), "cron_input")
        runs = [
            NewRun(
                id=new_run_id(),
                agent=schedule.agent,
                environment=schedule.environment,
                input=payload,
                actor=f"schedule:{schedule.id}",
                schedule_id=schedule.id,
                tick_us=tick,
                queue_seconds=config.get("queue_timeout"),
            )
            for tick in chosen
        ]
        if not await self._store.schedules.fire(schedule.id, schedule.next_us, runs, next_us):
            return 0
        if len(due) > len(chosen):
            log.warning(
                "schedule ticks missed",
                agent=schedule.agent,
                missed=len(due) - len(chosen),
                policy=schedule.missed,
            )
        return len(runs)
