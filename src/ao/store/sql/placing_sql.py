"""SQL of runs that not every worker may take: where they wait, and how they come there."""

from collections.abc import Sequence

from ao.ids import RunId
from ao.store.sql import run_sql as sql
from ao.store.sql.claim_sql import picked
from ao.store.sql.engine import Tx
from ao.store.sql.held import Held

INSERT_PLACED = """
INSERT INTO run_placed (placement, rank, flow, run_id, agent, since_us)
VALUES (:placement, :rank, :flow, :run_id, :agent, :now)"""

DELETE_PLACED = """
DELETE FROM run_placed WHERE placement = :placement AND rank = :rank AND flow = :flow AND run_id = :run_id"""

DROP_PLACED = f"""
DELETE FROM run_placed WHERE placement = :placement AND run_id = :run_id
  AND rank = (SELECT -r.priority FROM run r WHERE r.run_id = :run_id)
  AND flow = (SELECT {sql.FLOW} FROM run r WHERE r.run_id = :run_id)"""

_REQUEUE_PLACED = f"""
INSERT INTO run_placed (placement, rank, flow, run_id, agent, since_us)
SELECT h.placement, -r.priority, {sql.FLOW}, r.run_id, r.agent, :at_us
FROM run r JOIN run_head h ON h.run_id = r.run_id
WHERE r.run_id = :run_id AND h.placement IS NOT NULL"""

_SET_PLACEMENT = "UPDATE run_head SET placement = :placement WHERE run_id = :run_id"

_FIRST = "FROM run_placed n WHERE n.placement = c.placement ORDER BY n.rank, n.flow, n.run_id LIMIT 1"
QUEUES = f"""
WITH RECURSIVE c(placement) AS (
  SELECT (SELECT n.placement FROM run_placed n ORDER BY n.placement LIMIT 1)
  UNION ALL
  SELECT (SELECT n.placement FROM run_placed n WHERE n.placement > c.placement ORDER BY n.placement LIMIT 1)
  FROM c WHERE c.placement IS NOT NULL)
SELECT c.placement,
  (SELECT n.rank {_FIRST}) AS rank, (SELECT n.since_us {_FIRST}) AS since_us
FROM c WHERE c.placement IS NOT NULL
UNION ALL SELECT NULL, n.rank, 0 FROM (SELECT rank FROM run_ready ORDER BY rank LIMIT 1) n"""
"""The first run of each placement, and the rank of the first that any worker may take: one look at the index
for each, however many runs there are."""

_FLOWS = "SELECT n.flow FROM run_placed n WHERE n.placement = :placement AND n.rank = :rank"
NEXT_FLOW = f"""
SELECT COALESCE(({_FLOWS} AND n.flow > :after ORDER BY n.flow LIMIT 1), ({_FLOWS} ORDER BY n.flow LIMIT 1))"""

PICK_PLACED = f"""
WITH q AS MATERIALIZED (
  SELECT s.rank, s.flow, s.run_id FROM (
    SELECT n.rank, n.flow, n.run_id, n.since_us FROM run_placed n
    WHERE n.placement = :placement AND n.rank = :rank AND n.flow = :flow
    ORDER BY n.placement, n.rank, n.flow, n.run_id LIMIT :limit FOR UPDATE SKIP LOCKED) s
  WHERE s.since_us <= :until_us)
{picked("0")}"""

UNDECIDED = f"""
SELECT q.placement, q.rank, q.flow, q.run_id, q.agent, d.deployment_id, d.config, r.assistant,
  r.assistant_version, v.overrides, h.state
FROM (SELECT * FROM run_placed WHERE (agent, run_id) > (:agent, :run_id)
    ORDER BY agent, run_id LIMIT :limit FOR UPDATE SKIP LOCKED) q
  JOIN run_head h ON h.run_id = q.run_id
  JOIN run r ON r.run_id = q.run_id {sql.RESOLVE}
  LEFT JOIN assistant_version v ON v.name = r.assistant AND v.version = r.assistant_version
ORDER BY q.agent, q.run_id FOR UPDATE OF h SKIP LOCKED"""


def requeue(tx: Tx, runs: Sequence[RunId]) -> None:
    """Make pending runs claimable, each in its queue: the statement of the other one finds nothing to do."""
    rows = [{"run_id": run_id, "at_us": tx.now_us} for run_id in runs]
    if rows:
        tx.many(sql.REQUEUE, rows)
        tx.many(_REQUEUE_PLACED, rows)


def requeue_held(tx: Tx, held: Held) -> None:
    """As `requeue`, for one whose placement is known."""
    statement = sql.REQUEUE if held.placement is None else _REQUEUE_PLACED
    tx.run(statement, {"run_id": held.run_id, "at_us": tx.now_us})


def queue_as(tx: Tx, runs: Sequence[tuple[RunId, str | None]]) -> None:
    """As `requeue`, with another placement than before."""
    tx.many(_SET_PLACEMENT, [{"run_id": run_id, "placement": placement} for run_id, placement in runs])
    requeue(tx, [run_id for run_id, _ in runs])
