"""SQL of claims: whose turn it is, and what an attempt needs."""

from ao.store.sql.run_sql import RESOLVE


def picked(more: str) -> str:
    """All that a claim needs of the runs of `q`, and at last whether there are others than of this flow."""
    return f"""
SELECT q.rank, q.run_id, h.fence, h.attempt, h.next_seq, h.active_us, r.agent, r.environment, r.input,
  r.input_blob, r.created_us, o.error, d.deployment_id, d.version, d.digest, d.config, d.env_key,
  r.fork_of, h.due_us, r.tick_us, r.session, r.assistant, r.assistant_version, v.overrides, q.flow, {more}
FROM q
  JOIN run_head h ON h.run_id = q.run_id
  JOIN run r ON r.run_id = q.run_id
  LEFT JOIN run_outcome o ON o.run_id = q.run_id {RESOLVE}
  LEFT JOIN assistant_version v ON v.name = r.assistant AND v.version = r.assistant_version
WHERE h.state = 'pending'
ORDER BY q.rank, q.flow, q.run_id FOR UPDATE OF h SKIP LOCKED"""


_TURN = """
first AS MATERIALIZED (
  SELECT n.rank, n.flow FROM run_ready n WHERE n.rank >= :floor AND n.rank <= :lowest
  ORDER BY n.rank, n.flow LIMIT 1),
chosen AS MATERIALIZED (
  SELECT f.rank, f.flow AS first, COALESCE(
    (SELECT n.flow FROM run_ready n WHERE n.rank = f.rank AND n.flow > :after ORDER BY n.rank, n.flow LIMIT 1),
    f.flow) AS flow
  FROM first f),
turn AS MATERIALIZED (
  SELECT c.rank, c.flow,
    CASE WHEN c.flow = c.first AND c.flow = (
      SELECT n.flow FROM run_ready n WHERE n.rank = c.rank ORDER BY n.rank DESC, n.flow DESC LIMIT 1)
      THEN 1 ELSE 0 END AS alone,
    CASE WHEN c.rank = (SELECT n.rank FROM run_ready n ORDER BY n.rank DESC LIMIT 1) THEN 1 ELSE 0 END AS lowest
  FROM chosen c)"""
"""Whose turn it is: of the flows with the highest priority (from `:floor` to `:lowest`) the one that follows
`:after`, or the first. Each look is at one end of a range of the key, however many runs there are."""

TURN = f"WITH {_TURN} SELECT rank, flow FROM turn"

PICK = f"""
WITH {_TURN},
q AS MATERIALIZED (
  SELECT s.rank, s.flow, s.run_id FROM (
    SELECT n.rank, n.flow, n.run_id FROM run_ready n
    WHERE n.rank = (SELECT rank FROM turn) AND n.flow = (SELECT flow FROM turn)
    ORDER BY n.rank, n.flow, n.run_id
    LIMIT COALESCE((SELECT CASE WHEN alone = 1 THEN :limit ELSE :share END FROM turn), 0)
    FOR UPDATE SKIP LOCKED) s
  LIMIT :limit)
{picked("(SELECT 1 - alone * lowest FROM turn)")}"""

_OTHERS = """CASE WHEN q.rank = (SELECT n.rank FROM run_ready n ORDER BY n.rank DESC LIMIT 1)
    AND q.flow = (SELECT n.flow FROM run_ready n ORDER BY n.rank DESC, n.flow DESC LIMIT 1) THEN 0 ELSE 1 END"""

PICK_FIRST = f"""
WITH q AS MATERIALIZED (
  SELECT rank, flow, run_id FROM run_ready ORDER BY rank, flow, run_id LIMIT :limit FOR UPDATE SKIP LOCKED)
{picked(_OTHERS)}"""
"""Right when there is one flow only; the last column of its first row says so."""
