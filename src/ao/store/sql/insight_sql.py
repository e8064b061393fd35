"""SQL of the read models."""

import re
from collections.abc import Sequence

from ao.domain.deployment import DEFAULT_ENVIRONMENT
from ao.domain.run import RunState
from ao.store.insights import RunQuery

_ID_PREFIX = re.compile(r"[0-9a-f]{8}(-[0-9a-f-]{0,27})?")

_LIVE = f"""
  LEFT JOIN pointer s ON s.agent = a.name AND s.environment = '{DEFAULT_ENVIRONMENT}' AND s.pointer = 'stable'
  LEFT JOIN pointer g ON g.agent = a.name AND g.environment = '{DEFAULT_ENVIRONMENT}'
    AND g.pointer = 'last_good'
  LEFT JOIN deployment l ON l.agent = a.name AND l.version = a.latest
  LEFT JOIN pointer_log m ON m.agent = a.name AND m.seq = (
    SELECT MAX(p.seq) FROM pointer_log p
    WHERE p.agent = a.name AND p.environment = '{DEFAULT_ENVIRONMENT}' AND p.pointer = 'stable')"""

AGENTS = f"""
SELECT a.name, a.created_us, s.version, g.version, a.latest, l.status, l.created_us, l.error,
  m.from_version, m.to_version, m.reason, m.actor, m.at_us
FROM agent a {_LIVE}
ORDER BY a.name"""

NUMBERS = """
WITH t AS MATERIALIZED (
  SELECT hour_us, agent, version, state, bucket, runs FROM run_tally WHERE hour_us >= :since_us)
SELECT 'agent' AS kind, agent AS name, version, state, bucket AS number,
  CASE WHEN hour_us >= :recent_us THEN 1 ELSE 0 END AS recent, CAST(SUM(runs) AS BIGINT) AS runs
FROM t GROUP BY agent, version, state, bucket, CASE WHEN hour_us >= :recent_us THEN 1 ELSE 0 END
UNION ALL SELECT 'hour', '', 0, state, hour_us, 0, CAST(SUM(runs) AS BIGINT) FROM t GROUP BY hour_us, state
UNION ALL SELECT 'ready', '', 0, '', 0, 0,
  (SELECT COUNT(*) FROM run_ready) + (SELECT COUNT(*) FROM run_placed)
UNION ALL SELECT 'delayed', '', 0, '', 0, 0, COUNT(*) FROM run_delayed
UNION ALL SELECT 'waiting', '', 0, '', 0, 0, COUNT(*) FROM run_gate WHERE state = 'waiting'
UNION ALL SELECT 'running', '', 0, '', 0, 0, COUNT(*) FROM run_head
  WHERE state = 'running' AND state <> 'completed'
UNION ALL SELECT 'blocked', r.agent, 0, '', 0, 0, COUNT(*)
  FROM run_blocked b JOIN run r ON r.run_id = b.run_id GROUP BY r.agent
UNION ALL SELECT 'next', '', 0, '', 0, 0, r.created_us FROM run r
  WHERE r.run_id = (SELECT q.run_id FROM run_ready q ORDER BY q.rank, q.flow, q.run_id LIMIT 1)
UNION ALL SELECT 'asked', r.agent, 0, '', MIN(q.asked_us), 0, COUNT(*)
  FROM run_question q JOIN run r ON r.run_id = q.run_id JOIN run_head h ON h.run_id = q.run_id
  WHERE q.state = 'open' AND h.state NOT IN ('completed', 'failed', 'cancelled') GROUP BY r.agent
UNION ALL SELECT 'dead', agent, 0, '', MAX(at_us), 0, COUNT(*)
  FROM dead_letter WHERE replayed_by IS NULL GROUP BY agent
UNION ALL SELECT 'slots', '', 0, '', COUNT(*), 0, CAST(COALESCE(SUM(slots), 0) AS BIGINT)
  FROM worker WHERE lease_until_us > :now"""

FAILURES = """
WITH newest AS MATERIALIZED (
  SELECT run_id FROM run_head WHERE state = 'failed' AND state <> 'completed'
  ORDER BY run_id DESC LIMIT :scan),
numbered AS (
  SELECT n.run_id, r.agent, ROW_NUMBER() OVER (PARTITION BY r.agent ORDER BY n.run_id DESC) AS place
  FROM newest n JOIN run r ON r.run_id = n.run_id)
SELECT f.run_id, f.agent, d.version, o.error, h.finished_us
FROM numbered f
  JOIN run_head h ON h.run_id = f.run_id
  LEFT JOIN deployment d ON d.deployment_id = h.deployment_id
  LEFT JOIN run_outcome o ON o.run_id = f.run_id
WHERE f.place <= :each
ORDER BY f.run_id DESC"""

AGENT_FACTS = f"""
SELECT 'agent' AS kind, l.status AS t1, l.error AS t2, c.config AS t3,
  a.created_us AS n1, s.version AS n2, g.version AS n3, a.latest AS n4, l.created_us AS n5
FROM agent a {_LIVE}
  LEFT JOIN deployment c ON c.agent = a.name AND c.version = s.version
WHERE a.name = :agent
UNION ALL SELECT 'tally', state, NULL, NULL, version, bucket, CAST(SUM(runs) AS BIGINT),
    CASE WHEN hour_us >= :recent_us THEN 1 ELSE 0 END, NULL
  FROM run_tally WHERE hour_us >= :since_us AND agent = :agent
  GROUP BY state, version, bucket, CASE WHEN hour_us >= :recent_us THEN 1 ELSE 0 END
UNION ALL SELECT 'hour', state, NULL, NULL, hour_us, CAST(SUM(runs) AS BIGINT), NULL, NULL, NULL
  FROM run_tally WHERE hour_us >= :since_us AND agent = :agent GROUP BY state, hour_us
UNION ALL SELECT 'secret', name, agent, NULL, version, NULL, NULL, NULL, NULL
  FROM secret WHERE agent IN ('', :agent)
UNION ALL SELECT 'move', p.reason, p.actor, NULL, p.from_version, p.to_version, p.at_us, p.seq, NULL
  FROM pointer_log p WHERE p.agent = :agent AND p.environment = '{DEFAULT_ENVIRONMENT}'
    AND p.pointer = 'stable' AND p.seq > (SELECT MAX(x.seq) - 40 FROM pointer_log x WHERE x.agent = :agent)
UNION ALL SELECT 'schedule', name, cron, timezone, next_us, paused, NULL, NULL, NULL
  FROM schedule WHERE agent = :agent AND withdrawn = 0"""

_DEPLOYMENTS = f"""
SELECT d.deployment_id, d.agent, d.version, d.status, d.actor, d.message, d.error, d.digest, d.created_us,
  d.finished_us, s.version, CASE WHEN g.version IS NULL THEN 0 ELSE 1 END
FROM deployment d
  LEFT JOIN pointer s ON s.agent = d.agent AND s.environment = '{DEFAULT_ENVIRONMENT}'
    AND s.pointer = 'stable'
  LEFT JOIN pointer g ON g.agent = d.agent AND g.environment = '{DEFAULT_ENVIRONMENT}'
    AND g.pointer = 'last_good' AND g.version = d.version"""


def names(prefix: str, values: Sequence[str]) -> dict[str, str]:
    """A parameter for each value: `prefix0`, `prefix1`, …"""
    return {f"{prefix}{number}": value for number, value in enumerate(values)}


def _one_of(column: str, prefix: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(f':{name}' for name in names(prefix, values))})"


def deployments_sql(*, agents: Sequence[str], older: bool) -> str:
    """Parameters: `names("agent", agents)`."""
    where = [_one_of("d.agent", "agent", agents)] if agents else []
    where += ["d.deployment_id < :older_than"] if older else []
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    # Of one agent in the order of its index; ids and versions grow together.
    order = "d.version" if len(agents) == 1 else "d.deployment_id"
    return f"{_DEPLOYMENTS}{clause} ORDER BY {order} DESC LIMIT :limit"


TIDY_TALLY = "DELETE FROM run_tally WHERE hour_us < :before_us"
TIDY_LOGIN = "DELETE FROM login WHERE until_us <= :now"

# --- runs ------------------------------------------------------------------------------------------

_ROW = """
SELECT c.run_id, r.agent, d.version, h.state, h.attempt, o.error, r.actor, r.created_us, h.started_us,
  h.finished_us, h.due_us
FROM c
  JOIN run_head h ON h.run_id = c.run_id
  JOIN run r ON r.run_id = c.run_id
  LEFT JOIN deployment d ON d.deployment_id = h.deployment_id
  LEFT JOIN run_outcome o ON o.run_id = c.run_id"""


def id_prefix(query: RunQuery) -> str | None:
    """The text when it is the beginning of an id rather than something in an error."""
    text = (query.text or "").strip().lower()
    return text if _ID_PREFIX.fullmatch(text) else None


def is_searching(query: RunQuery) -> bool:
    """Whether not every candidate is on the page."""
    by_text = query.text is not None and id_prefix(query) is None
    by_agent = bool(query.agents) or (query.agent is not None and bool(query.states))
    return by_text or by_agent or query.version is not None


def candidates_sql(query: RunQuery) -> str:
    """The newest (or, with `newer_than`, the oldest) ids that an index finds, at most `:scan` of them."""
    direction = "ASC" if query.newer_than else "DESC"
    bounds = [
        f"run_id {sign} :{name}"
        for name, sign, value in (
            ("older_than", "<", query.older_than),
            ("newer_than", ">", query.newer_than),
            ("first_id", ">=", query.since_us),
            ("last_id", "<", query.until_us),
            ("id_from", ">=", id_prefix(query)),
            ("id_to", "<", id_prefix(query)),
        )
        if value is not None
    ]
    if query.states:
        probes = [
            _probe("run_head", [*_state(state), *bounds], direction) for state in dict.fromkeys(query.states)
        ]
        if len(probes) == 1:
            return probes[0]
        united = " UNION ALL ".join(f"SELECT run_id FROM ({probe}) AS p{n}" for n, probe in enumerate(probes))
        return f"SELECT run_id FROM ({united}) AS u ORDER BY run_id {direction} LIMIT :scan"
    if query.agent is not None:
        return _probe("run", ["agent = :agent", *bounds], direction)
    return _probe("run", bounds, direction)


def runs_sql(query: RunQuery) -> str:
    """The rows of a page, from its candidates."""
    where = []
    if query.agent is not None:
        where.append("r.agent = :agent")
    if query.agents:
        where.append(_one_of("r.agent", "agent", query.agents))
    if query.version is not None:
        where.append("d.version = :version")
    if query.text is not None and id_prefix(query) is None:
        where.append("LOWER(o.error) LIKE :error_like ESCAPE '!'")
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    direction = "ASC" if query.newer_than else "DESC"
    return (
        f"WITH c AS MATERIALIZED ({candidates_sql(query)}) {_ROW}{clause}"
        f" ORDER BY c.run_id {direction} LIMIT :limit"
    )


def scanned_sql(query: RunQuery) -> str:
    """How many candidates there were, and the last of them."""
    last = "MAX" if query.newer_than else "MIN"
    return f"SELECT COUNT(*), {last}(run_id) FROM ({candidates_sql(query)}) AS c"


def _probe(table: str, where: list[str], direction: str) -> str:
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT run_id FROM {table}{clause} ORDER BY run_id {direction} LIMIT :scan"


def _state(state: RunState) -> list[str]:
    """A literal, so that the partial index on states other than `completed` can be used."""
    own = f"state = '{state}'"
    return [own] if state is RunState.COMPLETED else [own, "state <> 'completed'"]
