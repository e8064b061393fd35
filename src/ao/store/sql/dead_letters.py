"""`ao.store.DeadLetterStore` in SQL, and the mark on a run that fails."""

from collections.abc import Sequence
from dataclasses import replace

from ao.domain.dead_letter import fingerprint
from ao.domain.errors import Conflict, NotFound
from ao.domain.run import RunState, Transition
from ao.ids import RunId
from ao.store.audit import NewAudit
from ao.store.dead_letter_records import DeadLetter, DeadLetterFilter, DeadLetterGroup, RecordedSteps
from ao.store.sql.audit import note
from ao.store.sql.codec import clean
from ao.store.sql.engine import Engine, Params, Row, Tx

_INSERT = """
INSERT INTO dead_letter (run_id, agent, version, fingerprint, title, step, reason, at_us)
SELECT r.run_id, r.agent, d.version, :fingerprint, :title, :step, :reason, :at_us
FROM run r
  JOIN run_head h ON h.run_id = r.run_id
  LEFT JOIN deployment d ON d.deployment_id = h.deployment_id
WHERE r.run_id = :run_id"""

_SELECT = """
SELECT l.run_id, l.agent, l.version, l.fingerprint, l.title, l.step, l.reason, l.at_us, l.replayed_by, n.state
FROM dead_letter l
  LEFT JOIN run_head n ON n.run_id = l.replayed_by"""

_GROUPS = """
WITH g AS MATERIALIZED (
  SELECT l.agent, l.fingerprint, COUNT(*) AS total, {open} AS open, MIN(l.at_us) AS first_us,
    MAX(l.at_us) AS last_us, MAX(l.run_id) AS newest, MIN(l.version) AS first_version,
    MAX(l.version) AS last_version
  FROM dead_letter l{where} GROUP BY l.agent, l.fingerprint
  ORDER BY MAX(l.at_us) DESC, l.fingerprint LIMIT :limit)
SELECT g.fingerprint, g.agent, t.title, t.step, g.total, g.open, g.first_us, g.last_us, g.newest,
  g.first_version, g.last_version
FROM g JOIN dead_letter t ON t.run_id = g.newest
ORDER BY g.last_us DESC, g.fingerprint"""

_REPLAYS = """
SELECT n.state, COUNT(*) FROM dead_letter l JOIN run_head n ON n.run_id = l.replayed_by{where}
GROUP BY n.state"""

_RECORDED = """
WITH chosen AS MATERIALIZED (
  SELECT l.run_id FROM dead_letter l{where}{order} LIMIT :limit)
SELECT s.name, SUM(CASE WHEN s.state = 'completed' THEN 1 ELSE 0 END),
  SUM(CASE WHEN s.state = 'completed' THEN 0 ELSE 1 END)
FROM chosen c JOIN run_step s ON s.run_id = c.run_id
WHERE s.kind <> 'span' GROUP BY s.name ORDER BY MIN(s.first_us), s.name LIMIT 100"""

_GET = _SELECT + " WHERE l.run_id = :run_id"

_REPLAYED = "UPDATE dead_letter SET replayed_by = :replayed_by WHERE run_id = :run_id"

_REPLAYED_FIRST = f"{_REPLAYED} AND replayed_by IS NULL"

_PURGE_STEPS = "DELETE FROM run_step WHERE run_id = :run_id"

_PURGE_WRITES = "DELETE FROM session_step WHERE run_id = :run_id"

_PURGE = "DELETE FROM dead_letter WHERE run_id = :run_id"


class SqlDeadLetterStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetter]:
        conditions, params = _conditions(where)
        sql = f"{_SELECT}{conditions}{_order(where)} LIMIT :limit"
        rows = await self._engine.read(lambda tx: tx.all(sql, {**params, "limit": limit}))
        return [_letter_from(row) for row in rows]

    async def groups(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetterGroup]:
        conditions, params = _conditions(where)
        count = "COUNT(*)" if where.open_only else "SUM(CASE WHEN l.replayed_by IS NULL THEN 1 ELSE 0 END)"
        sql = _GROUPS.format(open=count, where=conditions)
        rows = await self._engine.read(lambda tx: tx.all(sql, {**params, "limit": limit}))
        return [DeadLetterGroup(*row) for row in rows]

    async def replays(self, where: DeadLetterFilter) -> dict[RunState, int]:
        conditions, params = _conditions(replace(where, open_only=False))
        rows = await self._engine.read(lambda tx: tx.all(_REPLAYS.format(where=conditions), params))
        return {RunState(state): count for state, count in rows}

    async def recorded(self, where: DeadLetterFilter, limit: int) -> Sequence[RecordedSteps]:
        conditions, params = _conditions(where)
        sql = _RECORDED.format(where=conditions, order=_order(where))
        rows = await self._engine.read(lambda tx: tx.all(sql, {**params, "limit": limit}))
        return [RecordedSteps(name, int(done), int(undone)) for name, done, undone in rows]

    async def get(self, run_id: RunId) -> DeadLetter:
        row = await self._engine.read(lambda tx: tx.one(_GET, {"run_id": run_id}))
        if row is None:
            raise NotFound(f"Run {run_id} is no dead letter.", hint="`ao dlq ls` lists them.")
        return _letter_from(row)

    async def purge(
        self, where: DeadLetterFilter, before_us: int, limit: int, audit: NewAudit | None = None
    ) -> int:
        conditions, params = _conditions(where)
        clause = f"{conditions} AND" if conditions else " WHERE"
        sql = f"SELECT l.run_id FROM dead_letter l{clause} l.at_us < :before_us ORDER BY l.run_id LIMIT :limit"

        def write(tx: Tx) -> int:
            found = tx.all(sql, {**params, "before_us": before_us, "limit": limit})
            rows = [{"run_id": run_id} for (run_id,) in found]
            if rows:
                tx.many(_PURGE_STEPS, rows)
                tx.many(_PURGE_WRITES, rows)
                tx.many(_PURGE, rows)
            if rows and audit is not None:
                note(tx, audit)
            return len(rows)

        return await self._engine.write(write)


def put_dead_letter(tx: Tx, run_id: RunId, transition: Transition) -> None:
    """Mark a run that has just failed."""
    assert transition.error is not None
    found = fingerprint(transition.error)
    tx.run(
        _INSERT,
        {
            "run_id": run_id,
            "fingerprint": found.digest,
            "title": clean(found.title),
            "step": clean(transition.error.step),
            "reason": transition.reason,
            "at_us": transition.at_us,
        },
    )


def mark_replayed(tx: Tx, run_id: RunId, by: RunId, *, as_first: bool) -> None:
    """A dead letter has a new run; nothing when it is none. Raises Conflict when it must be the first and is
    not, or is none any more."""
    params: Params = {"run_id": run_id, "replayed_by": by}
    if tx.count(_REPLAYED_FIRST if as_first else _REPLAYED, params) or not as_first:
        return
    row = tx.one(_GET, params)
    if row is None:
        raise Conflict(f"Run {run_id} is no dead letter any more.")
    first = _letter_from(row).replayed_by
    raise Conflict(f"Run {run_id} was replayed already, as {first}.", hint=f"`ao dlq replay {run_id}` insists")


def _conditions(where: DeadLetterFilter) -> tuple[str, Params]:
    found = {
        "l.replayed_by IS NULL": where.open_only,
        "l.fingerprint = :fingerprint": where.fingerprint is not None,
        "l.run_id = :run_id": where.run_id is not None,
        "l.run_id < :before": where.before is not None,
    }
    names = {f"agent{number}": name for number, name in enumerate(where.agents)}
    if names:
        found[f"l.agent IN ({', '.join(f':{name}' for name in names)})"] = True
    asked = [condition for condition, wanted in found.items() if wanted]
    params: Params = {"fingerprint": where.fingerprint, "run_id": where.run_id, "before": where.before, **names}
    return (f" WHERE {' AND '.join(asked)}" if asked else ""), params


def _order(where: DeadLetterFilter) -> str:
    return f" ORDER BY l.run_id{'' if where.oldest_first else ' DESC'}"


def _letter_from(row: Row) -> DeadLetter:
    letter, state = DeadLetter(*row[:-1]), row[-1]
    return letter if state is None else replace(letter, replay_state=RunState(state))
