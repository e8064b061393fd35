"""What is live: pointers, their history, and the schedule that follows them."""

from ao.domain.deployment import DEFAULT_ENVIRONMENT, Pointer
from ao.store.records import PointerMove
from ao.store.schedules import Schedule
from ao.store.sql.engine import Tx
from ao.store.sql.placing import review
from ao.store.sql.runs import unblock
from ao.store.sql.schedule_sql import INSERT, row_of

LOCK_AGENT = "SELECT name FROM agent WHERE name = :agent FOR UPDATE"

_STABLE = """
SELECT version, deployment_id FROM pointer
WHERE agent = :agent AND environment = :environment AND pointer = 'stable'"""

_PUT = """
INSERT INTO pointer (agent, environment, pointer, deployment_id, version)
VALUES (:agent, :environment, :pointer, :deployment_id, :version)
ON CONFLICT (agent, environment, pointer) DO UPDATE SET deployment_id = excluded.deployment_id,
  version = excluded.version"""

_FATES = """
SELECT DISTINCT h.state FROM (
  SELECT run_id FROM run WHERE agent = :agent ORDER BY run_id DESC LIMIT :limit) r
  JOIN run_head h ON h.run_id = r.run_id
WHERE h.deployment_id = :deployment_id AND h.state IN ('completed', 'failed')"""

RUNS_LOOKED_AT = 500
"""Newest runs of an agent by which a version that is replaced is judged."""

_LOG = """
INSERT INTO pointer_log (agent, seq, environment, pointer, from_version, to_version, reason, actor, at_us)
VALUES (:agent, (SELECT COALESCE(MAX(l.seq), 0) + 1 FROM pointer_log l WHERE l.agent = :agent),
  :environment, 'stable', :from_version, :version, :reason, :actor, :now)"""

_FIND_SCHEDULE = """
SELECT schedule_id, cron, timezone, withdrawn FROM schedule
WHERE agent = :agent AND environment = :environment AND declared = 1 FOR UPDATE"""

_WITHDRAW_SCHEDULE = """
UPDATE schedule SET withdrawn = 1, revision = revision + 1
WHERE agent = :agent AND environment = :environment AND declared = 1"""

_KEEP_SCHEDULE = """
UPDATE schedule SET missed = :missed, overlap = :overlap, catch_up_us = :catch_up_us, revision = revision + 1
WHERE schedule_id = :schedule_id"""

_CHANGE_SCHEDULE = """
UPDATE schedule SET cron = :cron, timezone = :timezone, missed = :missed, overlap = :overlap,
  catch_up_us = :catch_up_us, next_us = :next_us, withdrawn = 0, revision = revision + 1
WHERE schedule_id = :schedule_id"""


def stable_of(tx: Tx, agent: str, environment: str) -> tuple[int, str] | None:
    """(version, deployment id) that `stable` points at. Lock the agent first to move it."""
    row = tx.one(_STABLE, {"agent": agent, "environment": environment})
    return None if row is None else (row[0], row[1])


def move_stable(
    tx: Tx,
    agent: str,
    environment: str,
    to: tuple[int, str],
    reason: str,
    actor: str,
    schedule: Schedule | None,
) -> PointerMove:
    """Point `stable` at (version, deployment id); the caller holds the agent's lock.

    `last_good` is what a rollback without a version goes to: the target, when somebody goes back to it;
    else the version that is replaced, unless all its runs have failed.
    """
    before = stable_of(tx, agent, environment)
    where = {"agent": agent, "environment": environment}
    good = to if before is not None and to[0] < before[0] else before
    if good is not None and not (good == before and _only_failed(tx, agent, good[1])):
        tx.run(_PUT, where | {"pointer": "last_good", "version": good[0], "deployment_id": good[1]})
    tx.run(_PUT, where | {"pointer": "stable", "version": to[0], "deployment_id": to[1]})
    frm = None if before is None else before[0]
    tx.run(_LOG, where | {"from_version": frm, "version": to[0], "reason": reason, "actor": actor})
    if environment == DEFAULT_ENVIRONMENT or schedule is not None:
        _set_schedule(tx, agent, environment, schedule)
    unblock(tx)
    review(tx, agent, "")
    return PointerMove(agent, environment, Pointer.STABLE, frm, to[0], reason, actor, tx.now_us)


def _only_failed(tx: Tx, agent: str, deployment_id: str) -> bool:
    params = {"agent": agent, "deployment_id": deployment_id, "limit": RUNS_LOOKED_AT}
    return [row[0] for row in tx.all(_FATES, params)] == ["failed"]


def _set_schedule(tx: Tx, agent: str, environment: str, schedule: Schedule | None) -> None:
    """The same timetable keeps its place, so that a deploy neither repeats nor skips a tick. A pause stays,
    also through versions that declare no schedule."""
    where = {"agent": agent, "environment": environment}
    if schedule is None:
        tx.run(_WITHDRAW_SCHEDULE, where)
        return
    row = row_of(schedule)
    found = tx.one(_FIND_SCHEDULE, where)
    if found is None:
        tx.run(INSERT, row)
        return
    same = found[1:] == (schedule.cron, schedule.timezone, 0)
    tx.run(_KEEP_SCHEDULE if same else _CHANGE_SCHEDULE, row | {"schedule_id": found[0]})
