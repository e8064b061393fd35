"""`ao.store.WorkerStore` in SQL."""

from collections.abc import Sequence

from ao.domain.errors import NotFound, StaleWrite
from ao.domain.placement import ANYTHING, Offer
from ao.domain.run import RunState
from ao.ids import RunId, WorkerId
from ao.store.audit import NewAudit
from ao.store.records import LostRuns
from ao.store.sql.attempts import lose
from ao.store.sql.audit import note
from ao.store.sql.engine import Engine, Tx
from ao.store.sql.fleet import look, offer_row, workers
from ao.store.worker_records import Beat, Fleet, Owned, Worker

_REGISTER = """
INSERT INTO worker (worker_id, name, slots, sandbox, started_us, heartbeat_us, lease_until_us, labels, memory,
  cpu, gpu, version)
VALUES (:worker_id, :name, :slots, :sandbox, :now, :now, :now + :lease_us, :labels, :memory, :cpu, :gpu,
  :version)
ON CONFLICT (worker_id) DO UPDATE SET name = excluded.name, slots = excluded.slots,
  sandbox = excluded.sandbox, heartbeat_us = excluded.heartbeat_us, lease_until_us = excluded.lease_until_us,
  labels = excluded.labels, memory = excluded.memory, cpu = excluded.cpu, gpu = excluded.gpu,
  version = excluded.version"""

_HEARTBEAT = """
UPDATE worker SET heartbeat_us = :now, lease_until_us = :now + :lease_us, busy = :busy, hold = :hold
WHERE worker_id = :worker_id
RETURNING draining,
  (SELECT MIN(CAST(p.busy AS REAL) / p.slots) FROM worker p
    WHERE p.worker_id <> :worker_id AND p.lease_until_us > :now AND p.draining = 0 AND p.hold = ''
      AND p.slots > 0),
  COALESCE((SELECT 1 FROM run_ready ORDER BY rank, flow, run_id LIMIT 1),
    (SELECT 1 FROM run_placed LIMIT 1), 0),
  (SELECT COUNT(*) FROM run_head
    WHERE state = 'running' AND state <> 'completed' AND worker_id = :worker_id)"""

_DRAIN = "UPDATE worker SET draining = 1 WHERE worker_id = :worker_id AND lease_until_us > :now"

_EXECUTES = """
SELECT run_id, fence, cancel_requested FROM run_head
WHERE state = 'running' AND state <> 'completed' AND worker_id = :worker_id"""

_LOCK = "SELECT worker_id, heartbeat_us FROM worker WHERE worker_id = :worker_id FOR UPDATE"

_EXPIRED = "SELECT worker_id, heartbeat_us FROM worker WHERE lease_until_us <= :now FOR UPDATE SKIP LOCKED"

_ANY_EXPIRED = "SELECT 1 FROM worker WHERE lease_until_us <= :now LIMIT 1"

_OWNED = """
SELECT run_id FROM run_head
WHERE state = 'running' AND state <> 'completed' AND worker_id = :worker_id
ORDER BY run_id LIMIT :limit FOR UPDATE SKIP LOCKED"""
"""A write of a worker that was cut off may hold one of its runs until the database sees that it is gone: the
others do not wait for that."""

_DELETE = """
DELETE FROM worker WHERE worker_id = :worker_id AND NOT EXISTS (
  SELECT 1 FROM run_head WHERE state = 'running' AND state <> 'completed' AND worker_id = :worker_id)"""

_COUNTS = """
SELECT (SELECT COUNT(*) FROM run_ready) + (SELECT COUNT(*) FROM run_placed), (SELECT COUNT(*) FROM run_delayed),
  (SELECT COUNT(*) FROM run_gate WHERE state = 'waiting'),
  (SELECT COUNT(*) FROM run_head WHERE state = 'running' AND state <> 'completed')"""

_ALL_RUNS = 1 << 31
ABANDONED_SECONDS = 4.0
"""A write that holds a worker whose lease has ended, or one of its runs, is nobody's when it has taken so long
and its process says nothing."""
_STOPPED_ANSWERING = "the worker stopped answering while the run was executing"
_WENT_AWAY = "the worker went away while the run was executing"


class SqlWorkerStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def register(
        self,
        worker_id: WorkerId,
        name: str,
        slots: int,
        sandbox: str,
        lease_us: int,
        offer: Offer = ANYTHING,
        version: str = "",
    ) -> None:
        params = {
            "worker_id": worker_id,
            "name": name,
            "slots": slots,
            "sandbox": sandbox,
            "lease_us": lease_us,
            "version": version,
            **offer_row(offer),
        }
        await self._engine.write(lambda tx: tx.run(_REGISTER, params), urgent=True)

    async def heartbeat(self, worker_id: WorkerId, lease_us: int, busy: int = 0, hold: str = "") -> Beat:
        params = {"worker_id": worker_id, "lease_us": lease_us, "busy": busy, "hold": hold}

        def beat(tx: Tx) -> Beat:
            row = tx.one(_HEARTBEAT, params)
            if row is None:
                raise StaleWrite(f"The lease of worker {worker_id} has ended; its runs were taken away.")
            draining, least_load, waiting, owns = row
            rows = tx.all(_EXECUTES, {"worker_id": worker_id}) if owns else []
            owned = [Owned(run_id, fence, bool(cancel)) for run_id, fence, cancel in rows]
            return Beat(owned, bool(draining), least_load, bool(waiting))

        return await self._engine.each(beat, urgent=True)

    async def drain(self, worker_id: WorkerId, audit: NewAudit | None = None) -> Worker:
        def write(tx: Tx) -> Worker:
            if tx.count(_DRAIN, {"worker_id": worker_id}) == 0:
                raise NotFound(f"There is no worker {worker_id}.", hint="`ao workers` lists them")
            note(tx, audit)
            found, _ = workers(tx)
            return next(worker for worker in found if worker.id == worker_id)

        return await self._engine.write(write)

    async def retire(self, worker_id: WorkerId) -> LostRuns:
        return await self._engine.write(lambda tx: _retire(tx, worker_id), urgent=True)

    async def sweep(self, limit: int) -> LostRuns:
        return await self._engine.write(lambda tx: _sweep(tx, limit, self._engine.dialect.abandoned))

    async def list(self) -> Sequence[Worker]:
        found, _ = await self._engine.read(workers)
        return found

    async def fleet(self) -> Fleet:
        return await self._engine.read(look)

    async def now_us(self) -> int:
        return await self._engine.read(lambda tx: tx.now_us, small=True)

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
        for (run_id,) in tx.all(_OWNED, {"worker_id": worker_id, "limit": limit}):
            state = lose(tx, run_id, message, alive_us, "system")
            if state is not None:
                self.by_state[state].append(run_id)
                self.count += 1
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


def _sweep(tx: Tx, limit: int, abandoned: str | None) -> LostRuns:
    losses = _Losses()
    if tx.one(_ANY_EXPIRED, {}) is None:
        return losses.result()
    for worker_id, heartbeat_us in tx.all(_EXPIRED, {}):
        losses.take_from(tx, worker_id, heartbeat_us, _STOPPED_ANSWERING, limit - losses.count)
    if abandoned is not None and tx.one(_ANY_EXPIRED, {}) is not None:
        tx.all(abandoned, {"seconds": ABANDONED_SECONDS})
    return losses.result()
