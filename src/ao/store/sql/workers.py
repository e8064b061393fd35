"""`ao.store.WorkerStore` in SQL."""

from collections.abc import Sequence

from ao.domain.errors import StaleWrite
from ao.domain.run import RunState
from ao.ids import RunId, WorkerId
from ao.store.records import LostRuns, Owned, Worker
from ao.store.sql.attempts import lose
from ao.store.sql.engine import Engine, Tx

_REGISTER = """
INSERT INTO worker (worker_id, name, slots, sandbox, started_us, heartbeat_us, lease_until_us)
VALUES (:worker_id, :name, :slots, :sandbox, :now, :now, :now + :lease_us)
ON CONFLICT (worker_id) DO UPDATE SET name = excluded.name, slots = excluded.slots,
  sandbox = excluded.sandbox, heartbeat_us = excluded.heartbeat_us, lease_until_us = excluded.lease_until_us"""

_HEARTBEAT = """
UPDATE worker SET heartbeat_us = :now, lease_until_us = :now + :lease_us WHERE worker_id = :worker_id"""

_EXECUTES = """
SELECT run_id, fence, cancel_requested FROM run_head
WHERE state = 'running' AND state <> 'completed' AND worker_id = :worker_id"""

_LOCK = "SELECT worker_id, heartbeat_us FROM worker WHERE worker_id = :worker_id FOR UPDATE"

_EXPIRED = "SELECT worker_id, heartbeat_us FROM worker WHERE lease_until_us <= :now FOR UPDATE SKIP LOCKED"

_OWNED = """
SELECT run_id FROM run_head
WHERE state = 'running' AND state <> 'completed' AND worker_id = :worker_id ORDER BY run_id LIMIT :limit"""

_DELETE = "DELETE FROM worker WHERE worker_id = :worker_id"

_LIST = """
SELECT w.worker_id, w.name, w.slots, COUNT(h.run_id), w.sandbox, w.started_us, w.heartbeat_us, w.lease_until_us
FROM worker w
  LEFT JOIN run_head h ON h.worker_id = w.worker_id AND h.state = 'running' AND h.state <> 'completed'
GROUP BY w.worker_id, w.name, w.slots, w.sandbox, w.started_us, w.heartbeat_us, w.lease_until_us
ORDER BY w.worker_id"""

_COUNTS = """
SELECT (SELECT COUNT(*) FROM run_ready), (SELECT COUNT(*) FROM run_delayed),
  (SELECT COUNT(*) FROM run_gate WHERE state = 'waiting'),
  (SELECT COUNT(*) FROM run_head WHERE state = 'running' AND state <> 'completed')"""

_ALL_RUNS = 1 << 31
_STOPPED_ANSWERING = "the worker stopped answering while the run was executing"
_WENT_AWAY = "the worker went away while the run was executing"


class SqlWorkerStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def register(self, worker_id: WorkerId, name: str, slots: int, sandbox: str, lease_us: int) -> None:
        params = {
            "worker_id": worker_id,
            "name": name,
            "slots": slots,
            "sandbox": sandbox,
            "lease_us": lease_us,
        }
        await self._engine.write(lambda tx: tx.run(_REGISTER, params), urgent=True)

    async def heartbeat(self, worker_id: WorkerId, lease_us: int) -> Sequence[Owned]:
        def write(tx: Tx) -> list[Owned]:
            if tx.count(_HEARTBEAT, {"worker_id": worker_id, "lease_us": lease_us}) == 0:
                raise StaleWrite(f"The lease of worker {worker_id} has ended; its runs were taken away.")
            rows = tx.all(_EXECUTES, {"worker_id": worker_id})
            return [Owned(run_id, fence, bool(cancel)) for run_id, fence, cancel in rows]

        return await self._engine.write(write, urgent=True)

    async def retire(self, worker_id: WorkerId) -> LostRuns:
        return await self._engine.write(lambda tx: _retire(tx, worker_id), urgent=True)

    async def sweep(self, limit: int) -> LostRuns:
        return await self._engine.write(lambda tx: _sweep(tx, limit))

    async def list(self) -> Sequence[Worker]:
        rows = await self._engine.read(lambda tx: tx.all(_LIST, {}))
        return [Worker(*row) for row in rows]

    async def counts(self) -> dict[str, int]:
        row = await self._engine.read(lambda tx: tx.one(_COUNTS, {}))
        return dict(zip(("ready", "delayed", "waiting", "running"), row or (0, 0, 0, 0), strict=True))


class _Losses:
    """What became of the runs of workers that are gone."""

    def __init__(self) -> None:
        self.by_state: dict[RunState, list[RunId]] = {
            RunState.PENDING: [],
            RunState.FAILED: [],
            RunState.CANCELLED: [],
        }
        self.count = 0

    def take_from(self, tx: Tx, worker_id: str, alive_us: int, message: str, limit: int) -> None:
        """Lose up to `limit` runs of a worker; a worker without runs is forgotten."""
        owned = tx.all(_OWNED, {"worker_id": worker_id, "limit": limit + 1})
        for (run_id,) in owned[:limit]:
            state = lose(tx, run_id, message, alive_us, "system")
            if state is not None:
                self.by_state[state].append(run_id)
                self.count += 1
        if len(owned) <= limit:
            tx.run(_DELETE, {"worker_id": worker_id})

    def result(self) -> LostRuns:
        return LostRuns(
            self.by_state[RunState.PENDING],
            self.by_state[RunState.FAILED],
            self.by_state[RunState.CANCELLED],
        )


def _retire(tx: Tx, worker_id: str) -> LostRuns:
    losses = _Losses()
    row = tx.one(_LOCK, {"worker_id": worker_id})
    if row is not None:
        losses.take_from(tx, worker_id, row[1], _WENT_AWAY, _ALL_RUNS)
    return losses.result()


def _sweep(tx: Tx, limit: int) -> LostRuns:
    losses = _Losses()
    for worker_id, heartbeat_us in tx.all(_EXPIRED, {}):
        losses.take_from(tx, worker_id, heartbeat_us, _STOPPED_ANSWERING, limit - losses.count)
    return losses.result()
