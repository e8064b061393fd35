"""`ao.store.retention.RetentionStore` in SQL. Ids carry their time, so that age is a range of the key."""

from ao.ids import RunId, first_id_at
from ao.store.retention import Scanned
from ao.store.sql.engine import Engine, Params, Tx

_SCAN = """
SELECT h.run_id, h.next_seq - 2,
  CASE WHEN h.state IN ('completed', 'failed', 'cancelled') AND h.finished_us < :before_us
    AND EXISTS (SELECT 1 FROM run_event e WHERE e.run_id = h.run_id AND e.seq < h.next_seq - 1)
    THEN 1 ELSE 0 END
FROM run_head h WHERE h.run_id > :after AND h.run_id < :before_id ORDER BY h.run_id LIMIT :limit"""

_DROP_EVENTS = """
DELETE FROM run_event WHERE run_id = :run_id AND seq <= :up_to AND seq < :limit + (
  SELECT MIN(e.seq) FROM run_event e WHERE e.run_id = :run_id)"""

_DROP_STEPS = """
DELETE FROM run_step WHERE run_id = :run_id
  AND (SELECT state FROM run_head h WHERE h.run_id = :run_id) IN ('completed', 'cancelled')"""

_DROP_QUESTIONS = """
DELETE FROM run_question WHERE run_id = :run_id
  AND (SELECT state FROM run_head h WHERE h.run_id = :run_id) IN ('completed', 'cancelled')"""

_DROP_WEBHOOK = """
DELETE FROM run_webhook WHERE run_id = :run_id
  AND (SELECT finished_us FROM run_head h WHERE h.run_id = :run_id) IS NOT NULL"""

_DROP_WRITES = """
DELETE FROM session_step WHERE run_id = :run_id
  AND NOT EXISTS (SELECT 1 FROM run_step s WHERE s.run_id = :run_id AND s.path = session_step.path)"""

_OLD_DELIVERIES = """
SELECT delivery_id FROM webhook_delivery
WHERE delivery_id < :before_id AND state <> 'pending' ORDER BY delivery_id LIMIT :limit"""
_DROP_DELIVERY = "DELETE FROM webhook_delivery WHERE delivery_id = :delivery_id AND state <> 'pending'"
_DROP_TRIES = "DELETE FROM webhook_try WHERE delivery_id = :delivery_id"

_OLD_TICKS = """
SELECT schedule_id, tick_us FROM schedule_tick WHERE tick_us < :before_us ORDER BY tick_us LIMIT :limit"""
_DROP_TICK = "DELETE FROM schedule_tick WHERE schedule_id = :schedule_id AND tick_us = :tick_us"
_FORGET = """
UPDATE schedule SET forgotten_us = :tick_us WHERE schedule_id = :schedule_id AND forgotten_us < :tick_us"""

_DROP_AUDIT = """
DELETE FROM audit WHERE audit_id IN (
  SELECT audit_id FROM audit WHERE audit_id < :before_id ORDER BY audit_id LIMIT :limit)"""


class SqlRetentionStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ended_before(self, before_us: int, after: RunId | None, limit: int) -> Scanned:
        params: Params = {"before_us": before_us, "before_id": first_id_at(before_us), "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_SCAN, params | {"after": after or ""}))
        last = rows[-1][0] if len(rows) == limit else None
        return Scanned([(run_id, up_to) for run_id, up_to, ripe in rows if ripe], last)

    async def drop_history(self, run_id: RunId, up_to: int, limit: int) -> int:
        params: Params = {"run_id": run_id, "up_to": up_to, "limit": limit}

        def write(tx: Tx) -> int:
            dropped = tx.count(_DROP_EVENTS, params)
            if dropped < limit:
                for statement in (_DROP_STEPS, _DROP_WRITES, _DROP_QUESTIONS, _DROP_WEBHOOK):
                    tx.run(statement, {"run_id": run_id})
            return dropped

        return await self._engine.write(write)

    async def drop_deliveries(self, before_us: int, limit: int) -> int:
        params: Params = {"before_id": first_id_at(before_us), "limit": limit}

        def write(tx: Tx) -> int:
            old = [{"delivery_id": row[0]} for row in tx.all(_OLD_DELIVERIES, params)]
            if old:
                tx.many(_DROP_TRIES, old)
                tx.many(_DROP_DELIVERY, old)
            return len(old)

        return await self._engine.write(write)

    async def drop_ticks(self, before_us: int, limit: int) -> int:
        params: Params = {"before_us": before_us, "limit": limit}

        def write(tx: Tx) -> int:
            old = [{"schedule_id": row[0], "tick_us": row[1]} for row in tx.all(_OLD_TICKS, params)]
            if old:
                newest = {row["schedule_id"]: row for row in old}
                tx.many(_FORGET, [newest[schedule_id] for schedule_id in sorted(newest)])
                tx.many(_DROP_TICK, old)
            return len(old)

        return await self._engine.write(write)

    async def drop_audit(self, before_us: int, limit: int) -> int:
        params: Params = {"before_id": first_id_at(before_us), "limit": limit}
        return await self._engine.write(lambda tx: tx.count(_DROP_AUDIT, params))
