"""`ao.store.LogStore` in SQL."""

import json
from collections.abc import Sequence

from ao.domain.event import Event, EventKind
from ao.ids import RunId
from ao.store.sql.engine import Engine, Params

_LOG = "SELECT seq, at_us, data FROM run_event WHERE run_id = :run_id AND kind = 'log'"

_FORWARD = f"{_LOG} AND seq > :after_seq AND at_us >= :since_us ORDER BY seq LIMIT :limit"

_BACKWARD = f"""
WITH latest AS ({_LOG} AND seq < :before_seq ORDER BY seq DESC LIMIT :limit),
  sized AS (
    SELECT seq, at_us, data, SUM(LENGTH(data)) OVER (ORDER BY seq DESC) AS size FROM latest)
SELECT seq, at_us, data, (SELECT COUNT(*) FROM latest) FROM sized
WHERE size <= :max_characters OR seq = (SELECT MAX(seq) FROM latest) ORDER BY seq DESC"""


class SqlLogStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def forward(self, run_id: RunId, after_seq: int, since_us: int, limit: int) -> Sequence[Event]:
        params: Params = {"run_id": run_id, "after_seq": after_seq, "since_us": since_us, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_FORWARD, params))
        return [_event(*row) for row in rows]

    async def backward(
        self, run_id: RunId, before_seq: int, limit: int, max_characters: int
    ) -> tuple[Sequence[Event], bool]:
        params: Params = {
            "run_id": run_id,
            "before_seq": before_seq,
            "limit": limit,
            "max_characters": max_characters,
        }
        rows = await self._engine.read(lambda tx: tx.all(_BACKWARD, params))
        there = rows[0][3] if rows else 0
        return [_event(*row[:3]) for row in rows], len(rows) < there or there == limit


def _event(seq: int, at_us: int, data: str) -> Event:
    return Event(seq, EventKind.LOG, at_us, json.loads(data))
