"""Schedules as people make, change, pause and use them. `ao.control.ticker` makes their runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from pydantic import JsonValue

from ao.blobs import BlobStore
from ao.bus import SCHEDULES, Bus
from ao.clock import from_datetime, iso_utc
from ao.control import audit
from ao.control.backpressure import Backpressure
from ao.control.catalog import Catalog
from ao.control.payloads import Payloads, dump
from ao.control.runs import check_input
from ao.control.ticker import Orders, scheduled_run, tell
from ao.domain.errors import Conflict, InvalidInput, Problem, StaleWrite
from ao.domain.schedule import MAX_BACKFILL, Overlap, TickOutcome, is_reserved
from ao.ids import RunId, ScheduleId, new_schedule_id
from ao.store import Store
from ao.store.audit import NewAudit
from ao.store.records import NewRun, Payload
from ao.store.schedules import Pause, Schedule, Tick, TickFilter
from ao.wire.schedules import ScheduleCreate, ScheduleFields, SchedulePatch

TRIES = 5
"""Of a change that somebody else's comes before."""
BACKFILLED_AT_ONCE = 50
LEAST_PRIORITY = -1000


@dataclass(frozen=True, slots=True)
class Backfill:
    """A past tick, and what a backfill does with it."""

    tick_us: int
    run_id: RunId | None
    already: Tick | None
    """It has a run, which is why it gets none."""
    error: str = ""
    """Why it gets none now: the queue is full."""


class Schedules:
    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        bus: Bus,
        catalog: Catalog,
        orders: Orders,
        backpressure: Backpressure,
    ) -> None:
        self._store = store
        self._payloads = Payloads(blobs)
        self._bus = bus
        self._catalog = catalog
        self.orders = orders
        self.backpressure = backpressure

    async def list(self, agent: str | None = None) -> Sequence[Schedule]:
        return await self._store.schedules.list(agent)

    async def get(self, agent: str, name: str) -> Schedule:
        return await self._store.schedules.get(agent, name)

    async def input_of(self, schedule: Schedule) -> JsonValue:
        """None: what the live release declares."""
        return await self._payloads.value(schedule.input)

    async def create(self, request: ScheduleCreate, actor: str) -> Schedule:
        """Raises NotFound (agent), Conflict (nothing live; the name is taken), InvalidInput."""
        if is_reserved(request.name):
            raise _refused("name", f"{request.name!r} is a name that releases give", "choose another name")
        now_us = await self._store.schedules.now_us()
        pause = Pause("created paused", actor, now_us) if request.paused else None
        schedule = Schedule(
            id=new_schedule_id(),
            agent=request.agent,
            environment=request.environment,
            name=request.name,
            cron=request.cron,
            timezone=request.timezone,
            missed=request.missed,
            overlap=request.overlap,
            next_us=None,
            catch_up_us=_microseconds(request.catch_up_seconds),
            start_us=None if request.start_at is None else from_datetime(request.start_at),
            end_us=None if request.end_at is None else from_datetime(request.end_at),
            priority=request.priority,
            input=await self._input(request.agent, request.environment, request.input),
            pause=pause,
            actor=actor,
            created_us=now_us,
        )
        entry = audit.entry(actor, "schedule.create", *_target(schedule), cron=schedule.cron)
        made = await self._store.schedules.create(_planned(schedule, now_us), entry)
        self._bus.publish(SCHEDULES)
        return made

    async def update(self, agent: str, name: str, patch: SchedulePatch, actor: str) -> Schedule:
        """Change what the patch names. Raises NotFound, Conflict (a release owns it), InvalidInput."""
        given = patch.model_fields_set
        first = await self._owned(agent, name, "update")
        value = await self._input(agent, first.environment, patch.input) if "input" in given else None
        now_us = await self._store.schedules.now_us()

        def changed(schedule: Schedule) -> Schedule:
            after = _patched(schedule, patch, value)
            return after if after.timetable == schedule.timetable else _planned(after, now_us)

        fields = ", ".join(sorted(given))
        return await self._change(agent, name, changed, _noted(actor, "schedule.update", fields=fields))

    async def delete(self, agent: str, name: str, actor: str) -> None:
        """Its runs go on."""
        for _ in range(TRIES):
            schedule = await self._owned(agent, name, "delete")
            try:
                await self._store.schedules.delete(schedule, _noted(actor, "schedule.delete")(schedule))
            except StaleWrite:
                continue
            self._bus.publish(SCHEDULES)
            return
        raise _busy(agent, name)

    async def pause(self, agent: str, name: str, reason: str, actor: str) -> Schedule:
        """No tick until it is resumed. Pausing again changes the reason."""
        pause = Pause(reason, actor, await self._store.schedules.now_us())
        return await self._change(
            agent, name, lambda old: replace(old, pause=pause), _noted(actor, "schedule.pause", reason=reason)
        )

    async def resume(self, agent: str, name: str, actor: str) -> Schedule:
        """Go on with the next tick; those of the pause are not made up for."""
        now_us = await self._store.schedules.now_us()

        def resumed(schedule: Schedule) -> Schedule:
            return _planned(replace(schedule, pause=None), now_us) if schedule.paused else schedule

        return await self._change(agent, name, resumed, _noted(actor, "schedule.resume"))

    async def trigger(self, agent: str, name: str, actor: str, overlap: Overlap | None = None) -> RunId:
        """Make a run now, whatever the time is and also while it is paused. `Conflict` when a run is in the way
        and the overlap policy, or the one that is given, is `skip`; `QueueFull`."""
        schedule = await self._store.schedules.get(agent, name)
        schedule = replace(schedule, overlap=overlap or schedule.overlap)
        run = scheduled_run(schedule, await self.orders.of(schedule), actor, None)
        entry = _noted(actor, "schedule.trigger", run=run.id)(schedule)
        await self.backpressure.admit(agent)
        fired = await self._store.schedules.trigger(schedule, run, entry)
        tell(self._bus, fired)
        return run.id

    async def backfill(
        self,
        agent: str,
        name: str,
        first_us: int,
        last_us: int | None,
        actor: str,
        *,
        limit: int,
        force: bool,
        dry_run: bool,
    ) -> Sequence[Backfill]:
        """Make the runs of past ticks from `first_us` to `last_us` (None: now), both included, oldest first. A
        tick that has a run gets no other one, unless forced. `QueueFull` when none finds room in the queue."""
        schedule = await self._store.schedules.get(agent, name)
        now_us = await self._store.schedules.now_us()
        last_us = now_us if last_us is None else last_us
        ticks = _past_ticks(schedule, first_us, last_us, now_us, limit, force=force)
        where = TickFilter(since_us=first_us, before_us=last_us + 1)
        known = {tick.tick_us: tick for tick in await self._ran(schedule.id, where)}
        kept = {} if force else known
        order = await self.orders.of(schedule)
        behind = replace(schedule, priority=max(schedule.priority - 1, LEAST_PRIORITY))  # of new ticks
        runs = [scheduled_run(behind, order, actor, tick) for tick in ticks if tick not in kept]
        if dry_run:
            return [Backfill(tick, None, kept.get(tick)) for tick in ticks]
        room, full = await self.backpressure.admit_some(agent, len(runs))
        if full is not None and not room:
            raise full
        some = runs[:room]
        span = {"first": iso_utc(first_us), "last": iso_utc(last_us)}
        entry = _noted(actor, "schedule.backfill", **span, runs=len(some))(schedule)
        made = await self._make_up(schedule, some, entry, force=force)
        errors = {} if full is None else {run.tick_us: full.message for run in runs[room:]}
        return [Backfill(tick, made.get(tick), kept.get(tick), errors.get(tick, "")) for tick in ticks]

    async def _make_up(
        self, schedule: Schedule, runs: Sequence[NewRun], entry: NewAudit, *, force: bool
    ) -> Mapping[int | None, RunId]:
        """By their tick, those that were made: another backfill may have been quicker."""
        made: set[RunId] = set()
        for begin in range(0, len(runs), BACKFILLED_AT_ONCE):
            some = runs[begin : begin + BACKFILLED_AT_ONCE]
            noted = entry if begin == 0 else None
            fired = await self._store.schedules.backfill(schedule, some, force=force, audit=noted)
            tell(self._bus, fired)
            made.update(fired.made)
        return {run.tick_us: run.id for run in runs if run.id in made}

    async def _ran(self, schedule_id: ScheduleId, where: TickFilter) -> Sequence[Tick]:
        found: list[Tick] = []
        for outcome in TickOutcome:
            if outcome.ran:
                asked = replace(where, outcome=outcome)
                found += await self._store.schedules.ticks(schedule_id, asked, MAX_BACKFILL)
        return found

    async def history(self, agent: str, name: str, where: TickFilter, limit: int) -> Sequence[Tick]:
        """What became of each tick, newest first."""
        schedule = await self._store.schedules.get(agent, name)
        return await self._store.schedules.ticks(schedule.id, where, limit)

    async def next_ticks(self, agent: str, name: str, count: int) -> tuple[Schedule, Sequence[int]]:
        """The next ticks, as if it were not paused. Raises InvalidInput when it cannot be computed."""
        schedule = await self._store.schedules.get(agent, name)
        _check(schedule)
        now_us = await self._store.schedules.now_us()
        return schedule, list(islice(schedule.timetable.upcoming(now_us), count))

    async def _input(self, agent: str, environment: str, value: JsonValue) -> Payload:
        live = await self._catalog.resolve(agent, environment, None)
        check_input(value, self._catalog.input_validator(live))
        return await self._payloads.keep(dump(value), "input")

    async def _owned(self, agent: str, name: str, verb: str) -> Schedule:
        schedule = await self._store.schedules.get(agent, name)
        if schedule.declared:
            raise Conflict(
                f"schedule {agent}/{name} is declared by the live release, which owns it: {verb} is refused",
                hint=f"change `cron` in ao.toml and deploy; or pause it: `ao schedules pause {agent}/{name}`",
            )
        return schedule

    async def _change(
        self,
        agent: str,
        name: str,
        changed: Callable[[Schedule], Schedule],
        noted: Callable[[Schedule], NewAudit],
    ) -> Schedule:
        for _ in range(TRIES):
            schedule = await self._store.schedules.get(agent, name)
            after = changed(schedule)
            if after == schedule:
                return schedule
            try:
                done = await self._store.schedules.change(after, noted(schedule))
            except StaleWrite:
                continue
            self._bus.publish(SCHEDULES)
            return done
        raise _busy(agent, name)


def _patched(schedule: Schedule, patch: SchedulePatch, value: Payload | None) -> Schedule:
    """What is absent stays; what may be null is cleared by it."""
    given = patch.model_fields_set
    instants = {"start_at": "start_us", "end_at": "end_us"}
    fields: dict[str, object] = {}
    for name in given & set(ScheduleFields.model_fields):
        wanted = getattr(patch, name)
        if name == "input":
            fields["input"] = value
        elif name == "catch_up_seconds":
            fields["catch_up_us"] = _microseconds(wanted)
        elif name in instants:
            fields[instants[name]] = None if wanted is None else from_datetime(wanted)
        else:
            fields[name] = wanted
    return replace(schedule, **fields)  # type: ignore[arg-type]


def _planned(schedule: Schedule, now_us: int) -> Schedule:
    """With the next tick after now. Raises InvalidInput for a timetable that has none at all."""
    _check(schedule)
    next_us = schedule.timetable.after(now_us)
    if next_us is None:
        raise _refused("end_at", "no tick is left: the schedule would never run", "choose a later end")
    return replace(schedule, next_us=next_us)


def _check(schedule: Schedule) -> None:
    problem = schedule.timetable.problem()
    if problem is not None:
        raise InvalidInput(f"{problem.field}: {problem.message}", hint=problem.hint, problems=[problem])


def _past_ticks(
    schedule: Schedule, first_us: int, last_us: int, now_us: int, limit: int, *, force: bool
) -> Sequence[int]:
    if last_us > now_us:
        raise _refused("until", "lies in the future", "a backfill makes runs of past ticks")
    if first_us > last_us:
        raise _refused("since", "is after `until`", "give the earlier instant first")
    if first_us <= schedule.forgotten_us and not force:
        known = iso_utc(schedule.forgotten_us)
        raise _refused(
            "since",
            f"what ran up to {known} is no longer known: that history was removed by age",
            "begin later, or use force: ticks that had a run get another one",
        )
    _check(schedule)
    every = replace(schedule.timetable, start_us=None, end_us=None)
    ticks = list(
        islice(takewhile(lambda tick: tick <= last_us, every.upcoming(first_us - 1)), MAX_BACKFILL + 1)
    )
    if len(ticks) > limit:
        count = f"more than {MAX_BACKFILL:,}" if len(ticks) > MAX_BACKFILL else f"{len(ticks):,}"
        raise _refused(
            "limit",
            f"the range has {count} ticks, and the limit is {limit:,}",
            f"give a shorter range, or a limit of up to {MAX_BACKFILL:,}",
        )
    return ticks


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1_000_000)


def _target(schedule: Schedule) -> tuple[str, str]:
    return f"schedule:{schedule.agent}/{schedule.name}", schedule.agent


def _noted(actor: str, action: str, **details: JsonValue) -> Callable[[Schedule], NewAudit]:
    def noted(schedule: Schedule) -> NewAudit:
        target, agent = _target(schedule)
        return audit.entry(actor, action, target, agent, **details)

    return noted


def _refused(field: str, message: str, hint: str) -> InvalidInput:
    return InvalidInput(f"{field}: {message}", hint=hint, problems=[Problem(field, message, hint)])


def _busy(agent: str, name: str) -> StaleWrite:
    return StaleWrite(f"schedule {agent}/{name} is being changed by others", hint="look at it, and try again")
