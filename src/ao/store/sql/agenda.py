"""`ao.store.AgendaStore` in SQL."""

from ao.store.agenda import Due, Look
from ao.store.sql.engine import Engine
from ao.store.sql.schedule_sql import NEXT

LOOK = f"""
SELECT :now, (SELECT MIN(lease_until_us) FROM worker), (SELECT MIN(due_us) FROM run_delayed),
  (SELECT MIN(due_us) FROM run_timer), ({NEXT}),
  (SELECT MIN(due_us) FROM webhook_delivery WHERE state = 'pending'),
  CASE WHEN EXISTS (SELECT 1 FROM run_blocked) OR EXISTS (SELECT 1 FROM run_placed) THEN 0 END"""

_KINDS = (Due.LEASES, Due.RUNS, Due.RUNS, Due.TICKS, Due.DELIVERIES, Due.ASIDE)


class SqlAgendaStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def look(self) -> Look:
        row = await self._engine.read(lambda tx: tx.one(LOOK, {}), small=True, urgent=True)
        assert row is not None
        found: dict[Due, int] = {}
        for kind, at_us in zip(_KINDS, row[1:], strict=True):
            if at_us is not None:
                found[kind] = min(at_us, found.get(kind, at_us))
        return Look(row[0], found)
