"""What makes runs of schedules: each tick that comes becomes one, once, or a line that says why not."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from ao.blobs import BlobStore
from ao.bus import CANCEL, READY, Bus, announce
from ao.clock import iso_utc
from ao.control.agenda import Agenda
from ao.control.backpressure import Backpressure
from ao.control.catalog import Catalog
from ao.control.concurrency import ALONE, Share, share_of
from ao.control.payloads import Payloads, dump
from ao.control.runs import check_input
from ao.domain.agent_config import AgentConfig
from ao.domain.deployment import DEFAULT_ENVIRONMENT, Pointer
from ao.domain.errors import AoError, InvalidInput, Unavailable
from ao.domain.run import RunState
from ao.domain.schedule import (
    MAX_CAUGHT_UP,
    Missed,
    Overlap,
    TickOutcome,
    declared_name,
    why_not,
)
from ao.ids import ScheduleId, new_run_id, new_schedule_id
from ao.logs import get_logger
from ao.store import Store
from ao.store.agenda import Due
from ao.store.gates import Gate, Hold
from ao.store.records import Deployment, NewRun, Payload
from ao.store.schedules import Fired, PlannedTick, Schedule
from ao.timetable import BrokenTimetable, Timetable

log = get_logger(__name__)

AT_ONCE = 100


def declared(config: AgentConfig, now_us: int) -> Schedule | None:
    """The schedule that a release asks for, with its first tick after now."""
    if config.cron is None:
        return None
    return Schedule(
        id=new_schedule_id(),
        agent=config.name,
        environment=DEFAULT_ENVIRONMENT,
        name=declared_name(DEFAULT_ENVIRONMENT, DEFAULT_ENVIRONMENT),
        cron=config.cron,
        timezone=config.timezone,
        missed=Missed(config.missed),
        overlap=Overlap(config.overlap),
        next_us=Timetable(config.cron, config.timezone).after(now_us),
        declared=True,
        catch_up_us=None if config.catch_up is None else int(config.catch_up * 1_000_000),
        created_us=now_us,
    )


@dataclass(frozen=True, slots=True)
class Order:
    """What the runs of a schedule are given, as the version that is live now has it."""

    input: Payload
    queue_seconds: float | None = None
    share: Share = ALONE
    placement: str | None = None


def scheduled_run(schedule: Schedule, order: Order, actor: str, tick_us: int | None) -> NewRun:
    """Unless the schedule allows it, none of its runs goes on beside another."""
    alone = () if schedule.overlap is Overlap.ALLOW else (Gate(f"schedule:{schedule.id}", 1, Hold.OPEN),)
    return NewRun(
        id=new_run_id(),
        agent=schedule.agent,
        environment=schedule.environment,
        input=order.input,
        actor=actor,
        priority=schedule.priority,
        schedule_id=schedule.id,
        tick_us=tick_us,
        queue_seconds=order.queue_seconds,
        concurrency_key=order.share.key,
        gates=(*alone, *order.share.gates),
        placement=order.placement,
    )


def tell(bus: Bus, fired: Fired) -> None:
    """Give the hints of what was written."""
    if fired.made:
        bus.publish(READY)
    if any(state is RunState.RUNNING for _, state in fired.cancelled):
        bus.publish(CANCEL)
    for run_id, state in fired.cancelled:
        if state is not RunState.RUNNING:
            announce(bus, run_id)


class Orders:
    def __init__(self, store: Store, blobs: BlobStore, catalog: Catalog) -> None:
        self._store = store
        self._payloads = Payloads(blobs)
        self._catalog = catalog

    async def of(self, schedule: Schedule) -> Order:
        """Raises InvalidInput when its input is not what the live version's `input_schema` asks for."""
        live = await self._store.agents.pointer(schedule.agent, schedule.environment, Pointer.STABLE)
        if live is None:
            return Order(schedule.input or await self._payloads.keep("{}", "cron_input"))
        value = _declared_input(live)
        if schedule.input is not None:
            value = await self._payloads.value(schedule.input)
        check_input(value, self._catalog.input_validator(live))
        payload = schedule.input or await self._payloads.keep(dump(value), "cron_input")
        share = share_of(schedule.agent, self._catalog.concurrency(live), None, value)
        placement = self._catalog.placement(live)
        return Order(payload, self._catalog.queue_seconds(live), share, placement)


def _declared_input(live: Deployment) -> JsonValue:
    if live.release is None:
        return {}
    value: JsonValue = json.loads(live.release.config).get("cron_input", {})
    return value


class Ticker:
    def __init__(self, store: Store, orders: Orders, bus: Bus, backpressure: Backpressure) -> None:
        self._store = store
        self._orders = orders
        self._bus = bus
        self._backpressure = backpressure
        self._broken: set[ScheduleId] = set()
        self._held: dict[ScheduleId, int] = {}
        """The newest tick of each that was told to find no room in the queue."""

    async def run_forever(self, agenda: Agenda) -> None:
        """Fire ticks as they come; any number of replicas may do this at the same time."""
        while True:
            await agenda.due(Due.TICKS)
            try:
                while await self.fire_due():
                    pass
            except Unavailable as error:
                log.warning("schedules not looked at", error=str(error))

    async def fire_due(self) -> bool:
        """Make the runs of ticks that have come, of some schedules; whether there may be more of them."""
        limit = AT_ONCE + len(self._broken | self._held.keys())  # these stay due
        due = await self._store.schedules.due(limit)
        still = {schedule.id for schedule in due}
        self._broken &= still
        self._held = {key: tick_us for key, tick_us in self._held.items() if key in still}
        for schedule in due:
            try:
                await self._fire(schedule, await self._store.schedules.now_us())
            except Unavailable:
                raise
            except (BrokenTimetable, AoError) as error:
                self._tell_broken(schedule, error)
            await asyncio.sleep(0)
        return len(due) == limit

    def _tell_broken(self, schedule: Schedule, error: Exception) -> None:
        """Once. One schedule that cannot be computed does not stop the others."""
        if schedule.id not in self._broken:
            self._broken.add(schedule.id)
            name = f"{schedule.agent}/{schedule.name}"
            log.error("schedule cannot be fired", schedule=name, cron=schedule.cron, error=str(error))

    async def _fire(self, schedule: Schedule, now_us: int) -> None:
        first_us = now_us if schedule.next_us is None else schedule.next_us
        due = schedule.timetable.newest(first_us, now_us, MAX_CAUGHT_UP)
        reasons = why_not(due, schedule.missed, schedule.overlap, schedule.catch_up_us, now_us)
        ticks = [*_untold(first_us, due), *await self._planned(schedule, due, reasons)]
        runs = [tick for tick in ticks if tick.run is not None]
        room, full = await self._backpressure.admit_some(schedule.agent, len(runs))
        if full is None:
            self._held.pop(schedule.id, None)
            await self._write(schedule, ticks, schedule.timetable.after(now_us))
        elif room or self._held.get(schedule.id) != due[-1]:
            self._held[schedule.id] = due[-1]
            held_us = runs[room].tick_us
            await self._write(schedule, [_held(tick, held_us, full.message) for tick in ticks], held_us)

    async def _write(self, schedule: Schedule, ticks: Sequence[PlannedTick], next_us: int | None) -> None:
        fired = await self._store.schedules.fire(schedule, ticks, next_us)
        if fired is None:
            return
        tell(self._bus, fired)
        name = f"{schedule.agent}/{schedule.name}"
        missed = [tick for tick in ticks if tick.run is None]
        if missed:
            log.warning("ticks without a run", schedule=name, ticks=len(missed), why=missed[-1].reason)
        if fired.skipped:
            log.warning("tick skipped", schedule=name, ticks=len(fired.skipped), run=fired.skipped[-1])

    async def _planned(
        self, schedule: Schedule, due: Sequence[int], reasons: Sequence[str]
    ) -> Sequence[PlannedTick]:
        if all(reasons):
            return [PlannedTick(tick, None, why) for tick, why in zip(due, reasons, strict=True)]
        actor = f"schedule:{schedule.id}"
        try:
            order = await self._orders.of(schedule)
        except InvalidInput as error:
            refused = error.message
            return [
                PlannedTick(tick, None, why or refused, TickOutcome.MISSED if why else TickOutcome.SKIPPED)
                for tick, why in zip(due, reasons, strict=True)
            ]
        return [
            PlannedTick(tick, None if why else scheduled_run(schedule, order, actor, tick), why)
            for tick, why in zip(due, reasons, strict=True)
        ]


def _held(tick: PlannedTick, held_us: int, why: str) -> PlannedTick:
    """One that finds no room stays due and is treated as one that is late; until then it is skipped."""
    if tick.run is None or tick.tick_us < held_us:
        return tick
    return PlannedTick(tick.tick_us, None, f"the queue was full: {why}", TickOutcome.SKIPPED)


def _untold(first_us: int, due: Sequence[int]) -> Sequence[PlannedTick]:
    """One line for all ticks of a long downtime that are too old to be looked at one by one."""
    if len(due) < MAX_CAUGHT_UP or due[0] == first_us:
        return []
    return [PlannedTick(first_us, None, f"missed with all later ones before {iso_utc(due[0])}")]
