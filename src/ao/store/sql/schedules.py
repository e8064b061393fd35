"""`ao.store.ScheduleStore` in SQL."""

from collections.abc import Sequence

from ao.ids import ScheduleId
from ao.store.records import NewRun, Schedule
from ao.store.sql.engine import Engine, Row, Tx
from ao.store.sql.runs import create_run

_COLUMNS = """
schedule_id, agent, environment, cron, timezone, missed, next_us, last_tick_us, last_run_id, paused"""

_ALL = f"SELECT {_COLUMNS} FROM schedule ORDER BY agent, environment"
_OF_AGENT = f"SELECT {_COLUMNS} FROM schedule WHERE agent = :agent ORDER BY environment"
_DUE = f"""
SELECT {_COLUMNS} FROM schedule WHERE next_us <= :now AND paused = 0 ORDER BY next_us LIMIT :limit"""
_NEXT = "SELECT MIN(next_us) FROM schedule WHERE paused = 0"

_ADVANCE = """
UPDATE schedule SET next_us = :next_us
WHERE schedule_id = :schedule_id AND next_us = :expected_next_us"""

_TAKE_TICK = """
INSERT INTO schedule_tick (schedule_id, tick_us, run_id) VALUES (:schedule_id, :tick_us, :run_id)
ON CONFLICT (schedule_id, tick_us) DO NOTHING"""

_FIRED = """
UPDATE schedule SET last_tick_us = :tick_us, last_run_id = :run_id WHERE schedule_id = :schedule_id"""


class SqlScheduleStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self, agent: str | None) -> Sequence[Schedule]:
        sql = _ALL if agent is None else _OF_AGENT
        rows = await self._engine.read(lambda tx: tx.all(sql, {"agent": agent}))
        return [_schedule_from(row) for row in rows]

    async def due(self, limit: int) -> Sequence[Schedule]:
        rows = await self._engine.read(lambda tx: tx.all(_DUE, {"limit": limit}))
        return [_schedule_from(row) for row in rows]

    async def fire(
        self, schedule_id: ScheduleId, expected_next_us: int, runs: Sequence[NewRun], next_us: int
    ) -> bool:
        params = {"schedule_id": schedule_id, "expected_next_us": expected_next_us, "next_us": next_us}

        def write(tx: Tx) -> bool:
            if tx.run(_ADVANCE, params) == 0:
                return False
            for run in runs:
                _fire_tick(tx, schedule_id, run)
            return True

        return await self._engine.write(write)

    async def next_due_us(self) -> int | None:
        row = await self._engine.read(lambda tx: tx.one(_NEXT, {}))
        return None if row is None else row[0]

    async def now_us(self) -> int:
        return await self._engine.read(lambda tx: tx.now_us)


def _fire_tick(tx: Tx, schedule_id: ScheduleId, run: NewRun) -> None:
    """Create the run of one tick, unless that tick fired before (the clock or the cron was changed)."""
    tick = {"schedule_id": schedule_id, "tick_us": run.tick_us, "run_id": run.id}
    if run.tick_us is None:
        raise ValueError("a scheduled run names its tick")
    if tx.run(_TAKE_TICK, tick):
        create_run(tx, run)
        tx.run(_FIRED, tick)


def _schedule_from(row: Row) -> Schedule:
    return Schedule(
        id=row[0],
        agent=row[1],
        environment=row[2],
        cron=row[3],
        timezone=row[4],
        missed=row[5],
        next_us=row[6],
        last_tick_us=row[7],
        last_run_id=row[8],
        paused=bool(row[9]),
    )
