"""SQL of runs, and rows as records."""

from collections.abc import Sequence

from ao.domain.outcome import OutcomeKind
from ao.domain.placement import Peer, parse
from ao.domain.run import RunHead, RunState
from ao.store.gates import Wait
from ao.store.records import Attempt, Claim, Payload, Run
from ao.store.run_detail import Places, RunDetail, Waiting
from ao.store.sql.codec import error_from, payload_from
from ao.store.sql.engine import Row

FLOW = "r.agent || COALESCE(':' || r.concurrency_key, '')"
"""With whom a run takes turns: its agent, or its concurrency key."""

# --- create ----------------------------------------------------------------------------------------

TAKE_KEY = """
INSERT INTO idempotency (agent, key, run_id, request_hash)
VALUES (:agent, :idempotency_key, :run_id, :request_hash)
ON CONFLICT (agent, key) DO NOTHING"""

FIND_KEY = "SELECT run_id, request_hash FROM idempotency WHERE agent = :agent AND key = :idempotency_key"

INSERT_RUN = """
INSERT INTO run (run_id, agent, environment, input, input_blob, actor, created_us, priority,
  pinned_deployment_id, schedule_id, tick_us, lineage, fork_of, fork_step, concurrency_key, assistant,
  assistant_version, session)
VALUES (:run_id, :agent, :environment, :input, :input_blob, :actor, :now, :priority,
  :deployment_id, :schedule_id, :tick_us, :lineage, :fork_of, :fork_step, :concurrency_key, :assistant,
  :assistant_version, :session)"""

INSERT_HEAD = """
INSERT INTO run_head (run_id, state, fence, next_seq, attempt, failures, losses, cancel_requested,
  active_us, deployment_id, webhook, gated, session_base, placement)
VALUES (:run_id, 'pending', 0, 2, 0, 0, 0, 0, 0, :deployment_id, :webhook, :gated, :session_base, :placement)"""

INSERT_READY = "INSERT INTO run_ready (rank, flow, run_id) VALUES (:rank, :flow, :run_id)"

INSERT_EVENT = """
INSERT INTO run_event (run_id, seq, kind, at_us, data) VALUES (:run_id, :seq, :kind, :at_us, :data)"""

# --- claim -----------------------------------------------------------------------------------------

LEASE = """
SELECT sandbox, CASE WHEN EXISTS (SELECT 1 FROM run_placed) THEN 1 ELSE 0 END
FROM worker WHERE worker_id = :worker_id AND lease_until_us > :now AND draining = 0 FOR UPDATE"""

RESOLVE = """
  LEFT JOIN pointer p ON p.agent = r.agent AND p.environment = r.environment AND p.pointer = 'stable'
  LEFT JOIN deployment d ON d.deployment_id = COALESCE(h.deployment_id, p.deployment_id)
    AND d.status = 'succeeded'"""

DELETE_READY = "DELETE FROM run_ready WHERE rank = :rank AND flow = :flow AND run_id = :run_id"

INSERT_BLOCKED = "INSERT INTO run_blocked (run_id, rank) VALUES (:run_id, :rank)"

CLAIM_HEAD = """
UPDATE run_head SET state = 'running', fence = :fence + 1, attempt = :attempt, next_seq = :seq + 1,
  attempt_started_us = :at_us, started_us = COALESCE(started_us, :at_us), due_us = NULL,
  worker_id = :worker_id, deployment_id = :deployment_id
WHERE run_id = :run_id AND state = 'pending' AND fence = :fence"""

INSERT_ATTEMPT = """
INSERT INTO run_attempt (run_id, number, fence, worker_id, sandbox, started_us, due_us)
VALUES (:run_id, :attempt, :fence + 1, :worker_id, :sandbox, :at_us, :due_us)"""

# --- while running ---------------------------------------------------------------------------------

TAKE_SEQS = """
UPDATE run_head SET next_seq = next_seq + :count
WHERE run_id = :run_id AND state = 'running' AND fence = :fence RETURNING next_seq"""

# --- leaving `running`, and `pending` by a cancel ------------------------------------------------

_HEAD = """
h.state, h.fence, h.attempt, h.failures, h.losses, h.cancel_requested, h.active_us,
  h.attempt_started_us"""

HELD = f"""
SELECT {_HEAD}, h.next_seq, h.worker_id, h.due_us, h.started_us, h.deployment_id, h.webhook,
  h.gated, h.session_base, h.placement
FROM run_head h WHERE h.run_id = :run_id FOR UPDATE"""

LEAVE_HEAD = """
UPDATE run_head SET state = :to, next_seq = :next_seq, failures = :failures, losses = :losses,
  active_us = :active_us, attempt_started_us = NULL, worker_id = NULL, due_us = :due_us,
  finished_us = :finished_us
WHERE run_id = :run_id AND state = :from AND fence = :fence"""

END_ATTEMPT = """
UPDATE run_attempt SET finished_us = :at_us, kind = :kind, error = :error, exit_code = :exit_code,
  max_rss_bytes = :max_rss_bytes, cpu_seconds = :cpu_seconds,
  sandbox = CASE WHEN :sandbox = '' THEN sandbox ELSE :sandbox END
WHERE run_id = :run_id AND number = :attempt"""

PUT_OUTCOME = """
INSERT INTO run_outcome (run_id, output, output_blob, error)
VALUES (:run_id, :output, :output_blob, :error)
ON CONFLICT (run_id) DO UPDATE SET output = excluded.output, output_blob = excluded.output_blob,
  error = excluded.error"""

TALLIED_AS = """
SELECT r.agent, COALESCE(d.version, 0) FROM run r
  LEFT JOIN deployment d ON d.deployment_id = :deployment_id
WHERE r.run_id = :run_id"""

COUNT_END = """
INSERT INTO run_tally (hour_us, agent, version, state, bucket, shard, runs)
VALUES (:hour_us, :agent, :version, :state, :bucket, :shard, 1)
ON CONFLICT (hour_us, agent, version, state, bucket, shard) DO UPDATE SET runs = run_tally.runs + 1"""

REQUEUE = f"""
INSERT INTO run_ready (rank, flow, run_id)
SELECT -r.priority, {FLOW}, r.run_id FROM run r JOIN run_head h ON h.run_id = r.run_id
WHERE r.run_id = :run_id AND h.placement IS NULL"""

DELAY = """
INSERT INTO run_delayed (due_us, run_id, rank)
SELECT :due_us, run_id, -priority FROM run WHERE run_id = :run_id"""

REQUEST_CANCEL = "UPDATE run_head SET cancel_requested = 1 WHERE run_id = :run_id AND state = 'running'"

DROP_DELAYED = "DELETE FROM run_delayed WHERE due_us = :due_us AND run_id = :run_id"

DROP_READY = f"""
DELETE FROM run_ready WHERE run_id = :run_id
  AND rank = (SELECT -r.priority FROM run r WHERE r.run_id = :run_id)
  AND flow IN ('', (SELECT {FLOW} FROM run r WHERE r.run_id = :run_id))"""

DROP_BLOCKED = "DELETE FROM run_blocked WHERE run_id = :run_id"

# --- paused ---------------------------------------------------------------------------------------

SET_TIMER = "INSERT INTO run_timer (due_us, run_id) VALUES (:due_us, :run_id) ON CONFLICT DO NOTHING"

DROP_TIMER = "DELETE FROM run_timer WHERE due_us = :due_us AND run_id = :run_id"

OVERDUE = """
SELECT t.run_id FROM run_timer t JOIN run_head h ON h.run_id = t.run_id
WHERE t.due_us <= :now AND h.state = 'pending' AND h.attempt = 0 ORDER BY t.due_us, t.run_id LIMIT :limit"""

DROP_OVERDUE = "DELETE FROM run_timer WHERE run_id = :run_id AND due_us <= :now"

SET_NEXT_SEQ = "UPDATE run_head SET next_seq = :next_seq WHERE run_id = :run_id"

# --- promotion -------------------------------------------------------------------------------------

TAKE_DUE = """
WITH due AS MATERIALIZED (
  SELECT due_us, run_id FROM run_delayed WHERE due_us <= :now ORDER BY due_us, run_id LIMIT :limit
  FOR UPDATE SKIP LOCKED)
DELETE FROM run_delayed WHERE (due_us, run_id) IN (SELECT due_us, run_id FROM due)
RETURNING run_id, (SELECT h.gated FROM run_head h WHERE h.run_id = run_delayed.run_id)"""

QUEUED = """
SELECT COUNT(*) FROM (
  SELECT 1 FROM run_ready UNION ALL SELECT 1 FROM run_placed
  UNION ALL SELECT 1 FROM run_gate WHERE state = 'waiting' LIMIT :limit) q"""

QUEUED_OF_AGENT = """
SELECT COUNT(*) FROM (
  SELECT 1 FROM run_ready WHERE flow = :agent OR (flow > :agent || ':' AND flow < :agent || ';')
  UNION ALL SELECT 1 FROM run_placed WHERE agent = :agent
  UNION ALL
  SELECT 1 FROM run_gate w CROSS JOIN run r
  WHERE w.state = 'waiting' AND r.run_id = w.run_id AND r.agent = :agent
  LIMIT :limit) q"""
"""By the names of its flows, for a look at each run would take as long as the queue. CROSS JOIN: SQLite begins
with those that wait, whatever it believes of the sizes."""

TAKE_UNBLOCKED = f"""
WITH free AS MATERIALIZED (
  SELECT b.run_id FROM run_blocked b
    JOIN run_head h ON h.run_id = b.run_id
    JOIN run r ON r.run_id = b.run_id {RESOLVE}
  WHERE d.deployment_id IS NOT NULL LIMIT :limit FOR UPDATE OF b SKIP LOCKED)
DELETE FROM run_blocked WHERE run_id IN (SELECT run_id FROM free)
RETURNING run_id"""

# --- reading ---------------------------------------------------------------------------------------

_RUN_COLUMNS = f"""{_HEAD}, r.run_id, r.agent, r.environment, r.input, r.input_blob, r.actor, r.created_us,
  r.priority, r.pinned_deployment_id, h.deployment_id, d.version, d.digest, r.schedule_id, r.tick_us,
  r.lineage, r.fork_of, r.fork_step, r.concurrency_key, r.assistant, r.assistant_version, a.digest,
  CASE WHEN h.state = 'paused' THEN h.due_us ELSE q.due_us END,
  h.started_us, h.finished_us, h.worker_id, o.output, o.output_blob, o.error, h.next_seq,
  r.session, h.session_base"""

_RUN_TABLES = """
FROM run r
  JOIN run_head h ON h.run_id = r.run_id
  LEFT JOIN deployment d ON d.deployment_id = h.deployment_id
  LEFT JOIN run_outcome o ON o.run_id = r.run_id
  LEFT JOIN run_delayed q ON q.due_us = h.due_us AND q.run_id = r.run_id
  LEFT JOIN assistant_release a ON a.name = r.assistant AND a.version = r.assistant_version
    AND a.deployment_id = h.deployment_id"""

_RUN = f"SELECT {_RUN_COLUMNS} {_RUN_TABLES}"

GET = _RUN + " WHERE r.run_id = :run_id"

_ATTEMPT_COLUMNS = """t.run_id, t.number, t.fence, t.worker_id, t.sandbox, t.started_us, t.finished_us, t.kind,
  t.error, t.exit_code, t.max_rss_bytes, t.cpu_seconds, t.due_us"""

ATTEMPTS = f"SELECT {_ATTEMPT_COLUMNS} FROM run_attempt t WHERE t.run_id = :run_id ORDER BY t.number"

_WAITING = f"""
SELECT r.run_id AS waits,
  CASE WHEN EXISTS (SELECT 1 FROM run_blocked b WHERE b.run_id = r.run_id) THEN 1 ELSE 0 END AS blocked,
  (SELECT COUNT(*) FROM worker w WHERE w.lease_until_us > :now) AS workers,
  (SELECT CAST(COALESCE(SUM(w.slots), 0) AS BIGINT) FROM worker w
    WHERE w.lease_until_us > :now AND w.draining = 0 AND w.hold = '') AS slots,
  (SELECT MIN(w.name || ': ' || w.hold) FROM worker w WHERE w.lease_until_us > :now AND w.hold <> '') AS held,
  (SELECT COUNT(*) FROM run_head x WHERE x.state = 'running' AND x.state <> 'completed') AS running,
  (SELECT COUNT(*) FROM run_ready) + (SELECT COUNT(*) FROM run_placed) AS ready,
  (SELECT COUNT(*) FROM run_ready q
    WHERE q.rank = -r.priority AND q.flow = {FLOW} AND q.run_id < r.run_id) AS ahead,
  CASE WHEN h.placement IS NULL THEN NULL ELSE (SELECT q.since_us FROM run_placed q
    WHERE q.placement = h.placement AND q.rank = -r.priority AND q.flow = {FLOW} AND q.run_id = r.run_id)
    END AS since_us,
  CASE WHEN h.placement IS NULL THEN NULL ELSE (SELECT COUNT(*) FROM run_placed q
    WHERE q.placement = h.placement AND q.rank = -r.priority AND q.flow = {FLOW} AND q.run_id < r.run_id)
    END AS placed_ahead,
  h.placement AS placement,
  (SELECT g.name FROM run_gate g WHERE g.run_id = r.run_id AND g.state = 'waiting') AS gate
FROM run r JOIN run_head h ON h.run_id = r.run_id
WHERE r.run_id = :run_id AND h.state = 'pending'"""
_WAITING_COLUMNS = """v.blocked, v.workers, v.slots, v.held, v.running, v.ready, v.ahead, v.since_us,
  v.placed_ahead, v.placement, v.gate"""

WAITING = f"WITH waiting AS MATERIALIZED ({_WAITING}) SELECT {_WAITING_COLUMNS} FROM waiting v"

DETAIL = f"""
WITH waiting AS MATERIALIZED ({_WAITING})
SELECT {_ATTEMPT_COLUMNS}, {_WAITING_COLUMNS}, {_RUN_COLUMNS} {_RUN_TABLES}
  LEFT JOIN run_attempt t ON t.run_id = r.run_id
  LEFT JOIN waiting v ON v.waits = r.run_id
WHERE r.run_id = :run_id ORDER BY t.number"""
ATTEMPT_WIDTH = 13
WAITING_WIDTH = 11

EVENTS = """
SELECT seq, kind, at_us, data FROM run_event
WHERE run_id = :run_id AND seq > :after_seq ORDER BY seq LIMIT :limit"""


def list_sql(
    *,
    agent: bool,
    state: RunState | None,
    version: bool,
    before: bool,
    session: bool = False,
    assistant: str = "",
) -> str:
    """One bounded probe: newest first, with only the conditions that are asked for."""
    where = [_ASSISTANTS[assistant]] if assistant else []
    table = "r" if agent or assistant else "h"
    if agent:
        where.append("r.agent = :agent")
    if state is not None:
        # A literal, so that the partial index on states other than `completed` can be used.
        where.append(f"h.state = '{state}'")
        if state is not RunState.COMPLETED:
            where.append("h.state <> 'completed'")
    if version:
        where.append("d.version = :version")
    if session:
        where.append("r.session = :session")
    if before:
        where.append(f"{table}.run_id < :before")
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    return f"{_RUN}{clause} ORDER BY {table}.run_id DESC LIMIT :limit"


_ASSISTANTS = {
    "named": "r.assistant = :assistant",
    "own": "r.agent = :assistant AND r.assistant IS NULL",
}
"""A name is that of an assistant or of an agent: one of both finds nothing."""


def head_from(row: Row) -> RunHead:
    """From the columns of `_HEAD`, first in a row."""
    return RunHead(RunState(row[0]), row[1], row[2], row[3], row[4], bool(row[5]), row[6], row[7])


def run_from(row: Row) -> Run:
    (run_id, agent, environment, inline, blob, actor, created_us, priority, pinned, deployment_id, version,
     artifact, schedule_id, tick_us, lineage, fork_of, fork_step, concurrency_key, assistant,
     assistant_version, derived, due_us, started_us, finished_us, worker_id, output, output_blob, error,
     next_seq, session, session_base) = row[8:]  # fmt: skip
    return Run(
        id=run_id,
        agent=agent,
        environment=environment,
        input=Payload(inline, blob),
        actor=actor,
        created_us=created_us,
        priority=priority,
        pinned=pinned is not None,
        deployment_id=deployment_id,
        version=version,
        digest=artifact if assistant is None else derived,
        artifact=artifact,
        assistant=assistant or agent,
        assistant_version=assistant_version,
        schedule_id=schedule_id,
        tick_us=tick_us,
        lineage=lineage,
        fork_of=fork_of,
        fork_step=fork_step,
        concurrency_key=concurrency_key,
        head=head_from(row),
        due_us=due_us,
        started_us=started_us,
        finished_us=finished_us,
        worker_id=worker_id,
        output=payload_from(output, output_blob),
        error=error_from(error),
        last_seq=next_seq - 1,
        session=session,
        session_base=session_base,
    )


def claim_from(row: Row) -> Claim:
    """From a row of `PICK` that has a deployment; fence and attempt are the new ones."""
    error = error_from(row[11])
    return Claim(
        run_id=row[1],
        agent=row[6],
        environment=row[7],
        fence=row[2] + 1,
        attempt=row[3] + 1,
        input=Payload(row[8], row[9]),
        last_error=None if error is None else error.message,
        deployment_id=row[12],
        version=row[13],
        digest=row[14],
        config=row[15],
        env_key=row[16],
        active_us=row[5],
        created_us=row[10],
        forked=row[17] is not None,
        tick_us=row[19],
        session=row[20],
        assistant=row[21],
        assistant_version=row[22] or 0,
        overrides=row[23] or "",
    )


def attempt_from(row: Row) -> Attempt:
    kind = None if row[7] is None else OutcomeKind(row[7])
    return Attempt(
        run_id=row[0],
        number=row[1],
        fence=row[2],
        worker_id=row[3],
        sandbox=row[4],
        started_us=row[5],
        finished_us=row[6],
        kind=kind,
        error=error_from(row[8]),
        exit_code=row[9],
        max_rss_bytes=row[10],
        cpu_seconds=row[11],
        due_us=row[12],
    )


def waiting_from(row: Row, now_us: int, gate: Wait | None, peers: Sequence[Peer]) -> Waiting | None:
    """From the columns of what a run waits for; None when it does not."""
    blocked, workers, slots, held, running, ready, ahead, since_us, placed_ahead, placement, _ = row
    if ready is None:
        return None
    places = None if placement is None else Places(parse(placement), since_us, placed_ahead, peers)
    return Waiting(now_us, bool(blocked), workers, slots, running, ready, ahead, gate, places, held or "")


def detail_from(rows: Sequence[Row], now_us: int, gate: Wait | None, peers: Sequence[Peer]) -> RunDetail:
    """From the rows of `DETAIL`, one for each attempt."""
    first = rows[0]
    end = ATTEMPT_WIDTH + WAITING_WIDTH
    attempts = [attempt_from(row) for row in rows if row[0] is not None]
    return RunDetail(
        run_from(first[end:]), attempts, waiting_from(first[ATTEMPT_WIDTH:end], now_us, gate, peers)
    )
