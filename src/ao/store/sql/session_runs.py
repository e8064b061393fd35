"""What runs do to their sessions, as part of the writes of their attempts."""

from collections.abc import Iterable, Sequence
from itertools import takewhile

from ao.domain.errors import NotFound
from ao.domain.event import NewEvent
from ao.domain.payload import Payload
from ao.domain.session import Change, NewMessage, SessionWrite, Workspace
from ao.ids import Digest, RunId
from ao.store.sessions import Opened, SessionKey
from ao.store.sql import session_versions as versions
from ao.store.sql.engine import Tx
from ao.store.sql.held import hold_fenced
from ao.store.sql.session_versions import Cause, Content

_OF_RUN = """
SELECT s.agent, s.session_id, s.undo, h.session_base, r.actor FROM session_run s
  JOIN run_head h ON h.run_id = s.run_id
  JOIN run r ON r.run_id = s.run_id
WHERE s.run_id = :run_id"""

_SET_BASE = "UPDATE run_head SET session_base = :base WHERE run_id = :run_id"

_RELEASE = "DELETE FROM session_run WHERE run_id = :run_id RETURNING agent, session_id, undo"

_PUT_STEP = """
INSERT INTO session_step (run_id, path, writes, writes_blob) VALUES (:run_id, :path, :writes, :writes_blob)
ON CONFLICT (run_id, path) DO UPDATE SET writes = excluded.writes, writes_blob = excluded.writes_blob"""

_STEPS = "SELECT path, writes, writes_blob FROM session_step WHERE run_id = :run_id"

_SOURCE = """
SELECT r.run_id, h.session_base FROM run n
  JOIN run r ON r.run_id = n.fork_of AND r.agent = n.agent AND r.session = n.session
  JOIN run_head h ON h.run_id = r.run_id
  JOIN session s ON s.agent = r.agent AND s.session_id = r.session AND s.created_us <= r.created_us
WHERE n.run_id = :run_id"""
"""The run that a replay repeats, and where that one began in the session that is there now."""

_SINCE = """
WITH RECURSIVE line(run_id, fork_of) AS (
  SELECT r.run_id, r.fork_of FROM run r WHERE r.run_id = :source
  UNION ALL SELECT r.run_id, r.fork_of FROM run r JOIN line l ON r.run_id = l.fork_of),
own(version) AS (
  SELECT MAX(v.version) FROM session_version v
  WHERE v.agent = :agent AND v.session_id = :session AND v.change = 'run'
    AND v.run_id IN (SELECT l.run_id FROM line l))
SELECT MIN(v.version), (SELECT version FROM own),
  SUM(CASE WHEN v.version > :base AND (v.run_id IS NULL OR v.change <> 'run'
    OR v.run_id NOT IN (SELECT l.run_id FROM line l)) THEN 1 ELSE 0 END),
  SUM(CASE WHEN v.change IN ('restored', 'rolled_back')
    AND v.version > COALESCE((SELECT version FROM own), :base) THEN 1 ELSE 0 END)
FROM session_version v WHERE v.agent = :agent AND v.session_id = :session"""
"""(the oldest version, the last of the runs that are repeated, how many others, how many of these undid it)."""

_FIRST_OF_REPLAY = """
SELECT MIN(v.version) FROM run n
  JOIN run r ON r.run_id = n.fork_of AND r.agent = n.agent AND r.session = n.session
  LEFT JOIN session_version v ON v.agent = n.agent AND v.session_id = n.session AND v.run_id = n.run_id
    AND v.change = 'run'
WHERE n.run_id = :run_id GROUP BY n.run_id"""
"""The first version that a replay has made, null for none; no row for other runs."""

_FORGET_WRITES = "DELETE FROM session_step WHERE run_id = :run_id"


def writes_in(events: Iterable[NewEvent]) -> Sequence[SessionWrite]:
    return [event.session for event in events if event.session is not None]


def commit(tx: Tx, run_id: RunId, write: SessionWrite) -> None:
    """Make the session what the run has made of it; the caller has checked the fence in the same write. Nothing
    is written to a session that was deleted meanwhile, or that is to be as it was before the run."""
    if write.step and write.writes is not None:
        params = {"run_id": run_id, "path": write.step}
        tx.run(_PUT_STEP, {**params, "writes": write.writes.inline, "writes_blob": write.writes.blob})
    row = tx.one(_OF_RUN, {"run_id": run_id})
    if row is None or row[2] or not row[3]:
        return
    key, base = SessionKey(row[0], row[1]), row[3]
    kept = versions.version(tx, key, base).messages + write.first
    cause = Cause(Change.RUN, row[4], base, run_id, write.step)
    while True:
        before = versions.latest(tx, key)
        if before is None:
            return
        there = versions.messages_after(tx, key, kept)
        same = len(list(takewhile(lambda pair: _equal(*pair), zip(there, write.messages, strict=False))))
        fresh = write.messages[same:]
        content = Content(
            state=write.state if write.state != before.state else None,
            messages=kept + len(write.messages) if fresh or len(there) > same else None,
            workspace=write.workspace if _digest(write.workspace) != _digest(before.workspace) else None,
        )
        if content == Content():
            return
        number = before.version + 1
        if versions.insert(tx, key, number, cause, before, content):
            if len(there) > same:
                versions.take_back_after(tx, key, number, kept + same)
            versions.add_messages(tx, key, number, kept + same + 1, fresh, run_id)
            return


def _digest(workspace: Workspace | None) -> Digest | None:
    return None if workspace is None else workspace.digest


def _equal(there: tuple[str, str | None, str | None], message: NewMessage) -> bool:
    return there == (message.role, message.content.inline, message.content.blob)


def release(tx: Tx, run_id: RunId, base: int, actor: str) -> None:
    """The run has ended: its session is free for another one."""
    row = tx.one(_RELEASE, {"run_id": run_id})
    if row is None or not row[2] or not base:
        return
    key = SessionKey(row[0], row[1])
    replay = tx.one(_FIRST_OF_REPLAY, {"run_id": run_id})
    if replay is None:
        put_back(tx, key, base, Cause(Change.ROLLED_BACK, actor, base, run_id))
    elif replay[0] is not None:  # what the run before it has left was there when it began
        put_back(tx, key, max(base, replay[0] - 1), Cause(Change.ROLLED_BACK, actor, base, run_id))


def put_back(tx: Tx, key: SessionKey, to_version: int, cause: Cause) -> None:
    """Make it what it was in a version, as its next version."""
    to = versions.version(tx, key, to_version)
    while True:
        before = versions.latest(tx, key)
        assert before is not None
        if before.version == to_version:
            return
        number = before.version + 1
        if versions.insert(tx, key, number, cause, None, versions.content_of(to)):
            versions.restore(tx, key, to, number)
            return


def open_for(tx: Tx, run_id: RunId, fence: int) -> Opened:
    hold_fenced(tx, run_id, fence)
    row = tx.one(_OF_RUN, {"run_id": run_id})
    if row is None:
        raise NotFound(f"The session of run {run_id} was deleted.", hint="Start a run with another session.")
    key, base = SessionKey(row[0], row[1]), row[3]
    now = versions.latest(tx, key)
    assert now is not None
    if not base:
        base = _begin(tx, run_id, key, now.version)
        tx.run(_SET_BASE, {"run_id": run_id, "base": base})
    writes = {path: Payload(text, blob) for path, text, blob in tx.all(_STEPS, {"run_id": run_id})}
    return Opened(key, versions.version(tx, key, base), now.workspace, writes, now.version != base)


def _begin(tx: Tx, run_id: RunId, key: SessionKey, now: int) -> int:
    """The version that a run begins with. A replay begins where the run that it repeats began, and writes anew
    what that one wrote; when others have written since, it begins with what is there, and what the recorded
    steps wrote is part of that."""
    source = tx.one(_SOURCE, {"run_id": run_id})
    if source is None or not source[1]:
        return now
    since = tx.one(_SINCE, {**versions.params_of(key), "source": source[0], "base": source[1]})
    assert since is not None
    oldest, own, others, undone = since
    if not others:
        return int(source[1])
    was_written = own is not None or oldest > source[1] + 1  # or it was so long ago that nobody knows
    if was_written and not undone:
        tx.run(_FORGET_WRITES, {"run_id": run_id})
    return now
