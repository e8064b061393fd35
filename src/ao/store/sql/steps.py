"""`ao.store.StepStore` in SQL, and the write of steps beside their events."""

from collections.abc import Iterable, Sequence

from ao.domain.event import NewEvent
from ao.domain.step import Step, StepKind, StepState
from ao.ids import RunId
from ao.store.records import Fork
from ao.store.sql.codec import error_from, error_text, to_json
from ao.store.sql.dead_letters import mark_replayed
from ao.store.sql.engine import Engine, Params, Row, Tx

_PUT = """
INSERT INTO run_step (run_id, path, parent, name, step_key, kind, state, attempt, first_us, started_us,
  finished_us, fingerprint, once, value, value_blob, error)
VALUES (:run_id, :path, :parent, :name, :step_key, :kind, :state, :attempt, :started_us, :started_us,
  :finished_us, :fingerprint, :once, :value, :value_blob, :error)
ON CONFLICT (run_id, path) DO UPDATE SET state = excluded.state, attempt = excluded.attempt,
  started_us = excluded.started_us, finished_us = excluded.finished_us, fingerprint = excluded.fingerprint,
  once = excluded.once, value = excluded.value, value_blob = excluded.value_blob, error = excluded.error
WHERE run_step.state <> 'completed' OR run_step.kind = 'span'"""

_COLUMNS = """
path, parent, name, step_key, kind, state, attempt, started_us, finished_us, fingerprint, once, value,
  value_blob, error"""

_LIST = f"""
SELECT {_COLUMNS} FROM run_step WHERE run_id = :run_id ORDER BY first_us, path LIMIT :limit OFFSET :offset"""

_OUTLINE = """
SELECT path, parent, name, step_key, kind, state, attempt, started_us, finished_us, fingerprint, once, NULL,
  NULL, NULL
FROM run_step WHERE run_id = :run_id ORDER BY first_us, path LIMIT :limit OFFSET :offset"""

_RECORDED = f"""
SELECT {_COLUMNS} FROM run_step
WHERE run_id = :run_id AND kind <> 'span' AND (state = 'completed' OR once = 1)
ORDER BY first_us, path LIMIT :limit"""

_GET = f"SELECT {_COLUMNS} FROM run_step WHERE run_id = :run_id AND path = :path"


TIMED_OUT = to_json({"timed_out": True})
"""Result of the step of a question that nobody answered."""


class SqlStepStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self, run_id: RunId, limit: int, offset: int = 0) -> Sequence[Step]:
        return await self._page(_LIST, run_id, limit, offset)

    async def outline(self, run_id: RunId, limit: int, offset: int = 0) -> Sequence[Step]:
        return await self._page(_OUTLINE, run_id, limit, offset)

    async def _page(self, sql: str, run_id: RunId, limit: int, offset: int) -> Sequence[Step]:
        params = {"run_id": run_id, "limit": limit, "offset": offset}
        rows = await self._engine.read(lambda tx: tx.all(sql, params))
        return [_step_from(row) for row in rows]

    async def recorded(self, run_id: RunId, limit: int) -> Sequence[Step]:
        params = {"run_id": run_id, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_RECORDED, params))
        return [_step_from(row) for row in rows]

    async def get(self, run_id: RunId, path: str) -> Step | None:
        row = await self._engine.read(lambda tx: tx.one(_GET, {"run_id": run_id, "path": path}))
        return None if row is None else _step_from(row)


def changes_in(events: Iterable[NewEvent]) -> Sequence[Params]:
    """The records that these events carry; of several of one step the last."""
    last = {event.step.path: event.step for event in events if event.step is not None}
    return [row_of(step) for step in last.values()]


def put_steps(tx: Tx, run_id: RunId, changes: Sequence[Params]) -> None:
    """Write records of steps; the caller has checked the fence in the same write."""
    if changes:
        tx.many(_PUT, [{**change, "run_id": run_id} for change in changes])


_TAKE_OVER = """
INSERT INTO run_step (run_id, path, parent, name, step_key, kind, state, attempt, first_us, started_us,
  finished_us, fingerprint, once, value, value_blob, error)
SELECT :run_id, path, parent, name, step_key, kind, state, 0, first_us, started_us,
  finished_us, fingerprint, once, value, value_blob, error
FROM run_step s
WHERE s.run_id = :of AND s.kind <> 'span' AND (s.state = 'completed' OR s.once = 1)
  AND NOT (s.kind = 'ask' AND s.value = :timed_out)"""

_BEFORE = """
  AND s.first_us < (SELECT f.first_us FROM run_step f WHERE f.run_id = :of AND f.path = :step)
  AND substr(:step, 1, length(s.path) + 1) <> s.path || '/'"""
"""Began earlier, and the step is not inside of it."""


_TAKE_OVER_WRITES = """
INSERT INTO session_step (run_id, path, writes, writes_blob)
SELECT :run_id, w.path, w.writes, w.writes_blob FROM session_step w
WHERE w.run_id = :of AND EXISTS (SELECT 1 FROM run_step s WHERE s.run_id = :run_id AND s.path = w.path)"""


def take_over(tx: Tx, run_id: RunId, fork: Fork) -> None:
    """What a new run has recorded from the start; `attempt` 0 says that none of its own did it. A step that is
    in doubt stays so. A question that nobody answered is asked again."""
    if fork.with_steps:
        sql = _TAKE_OVER if fork.step is None else _TAKE_OVER + _BEFORE
        tx.run(sql, {"run_id": run_id, "of": fork.of, "step": fork.step, "timed_out": TIMED_OUT})
        tx.run(_TAKE_OVER_WRITES, {"run_id": run_id, "of": fork.of})
    mark_replayed(tx, fork.of, run_id, as_first=fork.as_first)


def row_of(step: Step) -> Params:
    """For `put_steps`."""
    return {
        "path": step.path,
        "parent": step.parent,
        "name": step.name,
        "step_key": step.key,
        "kind": step.kind,
        "state": step.state,
        "attempt": step.attempt,
        "started_us": step.started_us,
        "finished_us": step.finished_us,
        "fingerprint": step.fingerprint,
        "once": int(step.once),
        "value": step.value,
        "value_blob": step.value_blob,
        "error": error_text(step.error),
    }


def _step_from(row: Row) -> Step:
    return Step(
        path=row[0],
        parent=row[1],
        name=row[2],
        key=row[3],
        kind=StepKind(row[4]),
        state=StepState(row[5]),
        attempt=row[6],
        started_us=row[7],
        finished_us=row[8],
        fingerprint=row[9],
        once=bool(row[10]),
        value=row[11],
        value_blob=row[12],
        error=error_from(row[13]),
    )
