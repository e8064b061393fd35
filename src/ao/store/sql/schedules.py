"""`ao.store.ScheduleStore` in SQL."""

import difflib
from collections.abc import Sequence

from ao.domain.errors import Conflict, NotFound, StaleWrite
from ao.ids import ScheduleId
from ao.store.audit import NewAudit
from ao.store.records import NewRun
from ao.store.schedules import Fired, PlannedTick, Schedule, Tick, TickFilter
from ao.store.sql import schedule_sql as sql
from ao.store.sql import schedule_ticks
from ao.store.sql.audit import note
from ao.store.sql.engine import Engine, Params, Tx


class SqlScheduleStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, schedule: Schedule, audit: NewAudit | None = None) -> Schedule:
        def write(tx: Tx) -> Schedule:
            if tx.count(sql.INSERT, sql.row_of(schedule)) == 0:
                raise Conflict(
                    f"Agent {schedule.agent} has a schedule {schedule.name}.",
                    hint=f"Choose another name, or change it: `ao schedules update {_full(schedule)}`.",
                )
            note(tx, audit)
            return _get(tx, schedule.agent, schedule.name)

        return await self._engine.write(write)

    async def change(self, schedule: Schedule, audit: NewAudit | None = None) -> Schedule:
        def write(tx: Tx) -> Schedule:
            if tx.count(sql.CHANGE, sql.row_of(schedule)) == 0:
                raise _stale(schedule)
            note(tx, audit)
            return _get(tx, schedule.agent, schedule.name)

        return await self._engine.write(write)

    async def delete(self, schedule: Schedule, audit: NewAudit | None = None) -> None:
        def write(tx: Tx) -> None:
            if tx.count(sql.DELETE, sql.row_of(schedule)) == 0:
                raise _stale(schedule)
            tx.run(sql.FORGET_RUNS, {"schedule_id": schedule.id})
            note(tx, audit)

        await self._engine.write(write)

    async def get(self, agent: str, name: str) -> Schedule:
        return await self._engine.read(lambda tx: _get(tx, agent, name))

    async def list(self, agent: str | None) -> Sequence[Schedule]:
        text = sql.LIST if agent is None else sql.LIST_OF_AGENT
        rows = await self._engine.read(lambda tx: tx.all(text, {"agent": agent}))
        return [sql.schedule_from(row) for row in rows]

    async def ticks(self, schedule_id: ScheduleId, where: TickFilter, limit: int) -> Sequence[Tick]:
        text = sql.ticks_sql(
            outcome=where.outcome is not None,
            since=where.since_us is not None,
            before=where.before_us is not None,
        )
        params: Params = {
            "schedule_id": schedule_id,
            "outcome": where.outcome,
            "since_us": where.since_us,
            "before_us": where.before_us,
            "limit": limit,
        }
        return [sql.tick_from(row) for row in await self._engine.read(lambda tx: tx.all(text, params))]

    async def due(self, limit: int) -> Sequence[Schedule]:
        rows = await self._engine.read(lambda tx: tx.all(sql.DUE, {"limit": limit}))
        return [sql.schedule_from(row) for row in rows]

    async def fire(self, schedule: Schedule, ticks: Sequence[PlannedTick], next_us: int | None) -> Fired | None:
        params: Params = {
            "schedule_id": schedule.id,
            "expected_us": sql.next_column(schedule.next_us),
            "revision": schedule.revision,
            "next_us": sql.next_column(next_us),
        }

        def write(tx: Tx) -> Fired | None:
            if tx.count(sql.ADVANCE, params) == 0:
                return None
            return schedule_ticks.fire(tx, schedule, ticks)

        return await self._engine.write(write)

    async def trigger(self, schedule: Schedule, run: NewRun, audit: NewAudit | None = None) -> Fired:
        def write(tx: Tx) -> Fired:
            _hold(tx, schedule)
            note(tx, audit)
            return schedule_ticks.trigger(tx, schedule, run)

        return await self._engine.write(write)

    async def backfill(
        self, schedule: Schedule, runs: Sequence[NewRun], *, force: bool, audit: NewAudit | None = None
    ) -> Fired:
        def write(tx: Tx) -> Fired:
            _hold(tx, schedule)
            note(tx, audit)
            return schedule_ticks.backfill(tx, schedule, runs, force=force)

        return await self._engine.write(write)

    async def now_us(self) -> int:
        return await self._engine.read(lambda tx: tx.now_us)


def _get(tx: Tx, agent: str, name: str) -> Schedule:
    row = tx.one(sql.GET, {"agent": agent, "name": name})
    if row is not None:
        return sql.schedule_from(row)
    names = [row[0] for row in tx.all(sql.NAMES, {"agent": agent})]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {agent}/{near[0]}?" if near else "`ao schedules list` shows them."
    raise NotFound(f"Agent {agent} has no schedule {name}.", hint=hint)


def _hold(tx: Tx, schedule: Schedule) -> None:
    if tx.one(sql.LOCK, {"schedule_id": schedule.id}) is None:
        raise NotFound(
            f"There is no schedule {_full(schedule)} any more.", hint="`ao schedules list` shows them."
        )


def _full(schedule: Schedule) -> str:
    return f"{schedule.agent}/{schedule.name}"


def _stale(schedule: Schedule) -> StaleWrite:
    return StaleWrite(
        f"Schedule {_full(schedule)} was changed in the meantime.", hint="Look at it, and try again."
    )
