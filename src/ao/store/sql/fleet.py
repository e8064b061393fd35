"""The workers as one claim, or one reader, sees them."""

import json
from collections.abc import Mapping, Sequence

from ao.domain.placement import NOTHING, Amounts, Offer, Peer, parse
from ao.ids import WorkerId
from ao.store.sql.engine import Row, Tx
from ao.store.sql.placing_sql import QUEUES
from ao.store.worker_records import FLEET_COUNTED, Fleet, Queued, Worker, WorkerRun

_PEERS = """
SELECT w.worker_id, w.name, w.labels, w.memory, w.cpu, w.gpu, w.slots, w.draining, w.hold, h.placement,
  COUNT(h.run_id)
FROM worker w
  LEFT JOIN run_head h ON h.worker_id = w.worker_id AND h.state = 'running' AND h.state <> 'completed'
WHERE w.lease_until_us > :now
GROUP BY w.worker_id, h.placement
ORDER BY w.worker_id"""

_WORKERS = """
SELECT w.worker_id, w.name, w.slots, w.sandbox, w.started_us, w.heartbeat_us, w.lease_until_us,
  w.labels, w.memory, w.cpu, w.gpu, w.draining, w.version, h.placement, h.run_id, r.agent, h.attempt,
  h.attempt_started_us, w.hold
FROM worker w
  LEFT JOIN run_head h ON h.worker_id = w.worker_id AND h.state = 'running' AND h.state <> 'completed'
  LEFT JOIN run r ON r.run_id = h.run_id
ORDER BY w.worker_id, h.run_id"""

_WAITING = f"""
SELECT f.placement, (SELECT COUNT(*) FROM (
    SELECT 1 FROM run_placed n WHERE n.placement = f.placement LIMIT {FLEET_COUNTED}) p), f.since_us
FROM ({QUEUES}) f WHERE f.placement IS NOT NULL
UNION ALL SELECT NULL, (SELECT COUNT(*) FROM (SELECT 1 FROM run_ready LIMIT {FLEET_COUNTED}) n), r.created_us
FROM run r WHERE r.run_id = (SELECT q.run_id FROM run_ready q ORDER BY q.rank, q.flow, q.run_id LIMIT 1)"""


def look(tx: Tx) -> Fleet:
    found, runs = workers(tx)
    return Fleet(tx.now_us, found, runs, [Queued(*row) for row in tx.all(_WAITING, {})])


def workers(tx: Tx) -> tuple[Sequence[Worker], Mapping[WorkerId, Sequence[WorkerRun]]]:
    """All of them, and what each of them executes."""
    rows = tx.all(_WORKERS, {})
    runs: dict[WorkerId, list[WorkerRun]] = {}
    used: dict[WorkerId, Amounts] = {}
    for row in rows:
        mine = runs.setdefault(row[0], [])
        if row[14] is not None:
            mine.append(WorkerRun(row[14], row[15], row[16], row[17]))
            used[row[0]] = used.get(row[0], NOTHING) + taken_by(row[13], 1)
    first = {row[0]: row for row in reversed(rows)}
    found = [_worker(row, len(runs[row[0]]), used.get(row[0], NOTHING)) for row in reversed(first.values())]
    return found, runs


def _worker(row: Row, running: int, used: Amounts) -> Worker:
    return Worker(
        id=row[0],
        name=row[1],
        slots=row[2],
        running=running,
        sandbox=row[3],
        started_us=row[4],
        heartbeat_us=row[5],
        lease_until_us=row[6],
        offer=offer_of(row[7], row[8], row[9], row[10]),
        used=used,
        draining=bool(row[11]),
        version=row[12],
        hold=row[18],
    )


def peers(tx: Tx) -> Sequence[Peer]:
    """Those whose lease has not ended."""
    found: dict[str, Peer] = {}
    for row in tx.all(_PEERS, {}):
        worker_id, name, labels, memory, cpu, gpu, slots, draining, hold, placement, runs = row
        before = found.get(worker_id)
        running, used = (0, NOTHING) if before is None else (before.running, before.used)
        offer = offer_of(labels, memory, cpu, gpu)
        taken = used + taken_by(placement, runs)
        found[worker_id] = Peer(worker_id, name, offer, slots, running + runs, taken, bool(draining), hold)
    return list(found.values())


def taken_by(placement: str | None, runs: int) -> Amounts:
    return NOTHING if placement is None else parse(placement).needs * runs


def offer_of(labels: str, memory: int, cpu: int, gpu: int) -> Offer:
    return Offer(json.loads(labels), Amounts(memory, cpu, gpu))


def offer_row(offer: Offer) -> dict[str, object]:
    amounts = offer.amounts
    labels = json.dumps(dict(offer.labels), sort_keys=True, separators=(",", ":"))
    return {"labels": labels, "memory": amounts.memory, "cpu": amounts.cpu, "gpu": amounts.gpu}
