"""`ao.store.SessionStore` in SQL."""

from collections.abc import Sequence
from dataclasses import replace

from ao.domain.errors import Conflict, NotFound
from ao.domain.payload import Payload
from ao.domain.session import Change
from ao.ids import RunId
from ao.store.audit import NewAudit
from ao.store.sessions import (
    NewSession,
    Opened,
    Session,
    SessionEdit,
    SessionFilter,
    SessionKey,
    SessionMessage,
    SessionVersion,
)
from ao.store.sql import session_runs
from ao.store.sql import session_versions as versions
from ao.store.sql.audit import note
from ao.store.sql.engine import Engine, Params, Row, Tx
from ao.store.sql.session_admission import busy, cancel_all, open_runs
from ao.store.sql.session_versions import Cause, Content

_NEW = """
INSERT INTO session (agent, session_id, created_us, used_us, actor)
VALUES (:agent, :session, :now, :now, :actor)
ON CONFLICT (agent, session_id) DO NOTHING"""

_LOCK = "UPDATE session SET used_us = :now WHERE agent = :agent AND session_id = :session"

_SELECT = """
SELECT s.agent, s.session_id, s.created_us, s.used_us, s.actor, v.version, v.at_us, v.messages,
  v.workspace, v.workspace_blobs, v.workspace_files, v.workspace_bytes,
  (SELECT o.run_id FROM session_run o JOIN run_head h ON h.run_id = o.run_id
   WHERE o.agent = s.agent AND o.session_id = s.session_id
   ORDER BY CASE WHEN h.attempt > 0 THEN 0 ELSE 1 END, o.run_id LIMIT 1),
  (SELECT COUNT(*) FROM session_run o WHERE o.agent = s.agent AND o.session_id = s.session_id),
  {state}
FROM session s
  JOIN session_version v ON v.agent = s.agent AND v.session_id = s.session_id AND v.version = (
    SELECT MAX(m.version) FROM session_version m WHERE m.agent = s.agent AND m.session_id = s.session_id)"""

_GET = _SELECT.format(state="v.state, v.state_blob") + " WHERE s.agent = :agent AND s.session_id = :session"
_LIST = _SELECT.format(state="NULL, NULL")

_MESSAGES = """
SELECT seq, version, at_us, run_id, role, content, content_blob FROM session_message
WHERE agent = :agent AND session_id = :session AND seq > :after_seq AND version <= :version
  AND (until_version IS NULL OR until_version > :version)
ORDER BY seq LIMIT :limit"""

_HISTORY = f"""
SELECT {versions.VERSION_COLUMNS} FROM session_version v
WHERE v.agent = :agent AND v.session_id = :session AND v.version < :before
ORDER BY v.version DESC LIMIT :limit"""

_COPY_MESSAGES = """
INSERT INTO session_message (agent, session_id, seq, version, at_us, run_id, role, content, content_blob)
SELECT :to_agent, :to_session, seq, 1, at_us, run_id, role, content, content_blob FROM session_message
WHERE agent = :agent AND session_id = :session AND version <= :version
  AND (until_version IS NULL OR until_version > :version)"""

_TABLES = ("session", "session_version", "session_message", "session_run")

_UNUSED = """
SELECT s.agent, s.session_id FROM session s
WHERE s.used_us < :before_us AND NOT EXISTS (
  SELECT 1 FROM session_run o WHERE o.agent = s.agent AND o.session_id = s.session_id)
ORDER BY s.used_us LIMIT :limit FOR UPDATE OF s SKIP LOCKED"""

_NO_CURSOR = (1 << 62) - 1


class SqlSessionStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, new: NewSession, audit: NewAudit | None = None) -> Session:
        def write(tx: Tx) -> Session:
            _begin(tx, new.key, new.actor)
            count = len(new.messages)
            versions.insert(
                tx, new.key, 1, Cause(Change.CREATED, new.actor), None, Content(new.state, count or None)
            )
            versions.add_messages(tx, new.key, 1, 1, new.messages, None)
            note(tx, audit)
            return _get(tx, new.key)

        return await self._engine.write(write)

    async def get(self, key: SessionKey) -> Session:
        return await self._engine.read(lambda tx: _get(tx, key))

    async def list(self, where: SessionFilter, limit: int) -> Sequence[Session]:
        clauses: list[str] = []
        params: Params = {"limit": limit}
        agents = where.agents if where.agent is None else [where.agent]
        if agents:
            names = {f"agent{number}": agent for number, agent in enumerate(agents)}
            clauses.append(f"s.agent IN ({', '.join(f':{name}' for name in names)})")
            params |= names
        if where.before is not None:
            clauses.append("(s.used_us, s.agent, s.session_id) < (:used_us, :agent, :session)")
            params |= dict(zip(("used_us", "agent", "session"), where.before, strict=True))
        clause = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        sql = f"{_LIST}{clause} ORDER BY s.used_us DESC, s.agent DESC, s.session_id DESC LIMIT :limit"
        return [_session_from(row) for row in await self._engine.read(lambda tx: tx.all(sql, params))]

    async def messages(
        self, key: SessionKey, version: int, after_seq: int, limit: int
    ) -> Sequence[SessionMessage]:
        params = {**versions.params_of(key), "version": version, "after_seq": after_seq, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_MESSAGES, params))
        return [SessionMessage(row[0], row[1], row[2], row[3], row[4], Payload(row[5], row[6])) for row in rows]

    async def history(self, key: SessionKey, before: int | None, limit: int) -> Sequence[SessionVersion]:
        params = {**versions.params_of(key), "before": _NO_CURSOR if before is None else before, "limit": limit}
        rows = await self._engine.read(lambda tx: tx.all(_HISTORY, params))
        return [versions.version_from(row) for row in rows]

    async def edit(self, edit: SessionEdit, audit: NewAudit | None = None) -> Session:
        def write(tx: Tx) -> Session:
            floor = _lock(tx, edit.key, edit.force)
            before = versions.latest(tx, edit.key)
            assert before is not None
            count = before.messages + len(edit.messages) if edit.messages else None
            content = Content(edit.state, count, edit.workspace)
            cause = Cause(Change.EDITED, edit.actor, floor)
            number = edit.expected + 1
            if before.version != edit.expected or not versions.insert(
                tx, edit.key, number, cause, before, content
            ):
                raise _moved_on(edit.key, edit.expected, before.version)
            versions.add_messages(tx, edit.key, number, before.messages + 1, edit.messages, None)
            note(tx, audit)
            return _get(tx, edit.key)

        return await self._engine.write(write)

    async def restore(
        self, key: SessionKey, version: int, actor: str, *, force: bool, audit: NewAudit | None = None
    ) -> Session:
        def write(tx: Tx) -> Session:
            floor = _lock(tx, key, force)
            session_runs.put_back(tx, key, version, Cause(Change.RESTORED, actor, floor))
            note(tx, audit)
            return _get(tx, key)

        return await self._engine.write(write)

    async def copy(
        self, source: SessionKey, version: int | None, target: SessionKey, actor: str,
        audit: NewAudit | None = None, files_of: int | None = None,
    ) -> Session:  # fmt: skip
        def write(tx: Tx) -> Session:
            number = _get(tx, source).version if version is None else version
            found = versions.version(tx, source, number)
            content = versions.content_of(found)
            if files_of is not None:
                content = replace(content, workspace=versions.version(tx, source, files_of).workspace)
            _begin(tx, target, actor)
            versions.insert(tx, target, 1, Cause(Change.COPIED, actor), None, content)
            to = {"to_agent": target.agent, "to_session": target.id, "version": number}
            tx.run(_COPY_MESSAGES, {**versions.params_of(source), **to})
            note(tx, audit)
            return _get(tx, target)

        return await self._engine.write(write)

    async def delete(
        self, key: SessionKey, actor: str, *, force: bool, audit: NewAudit | None = None
    ) -> Sequence[RunId]:
        def write(tx: Tx) -> Sequence[RunId]:
            _lock(tx, key, force)
            runs = open_runs(tx, key)
            cancel_all(tx, runs, actor)
            _remove(tx, key)
            note(tx, audit)
            return runs

        return await self._engine.write(write)

    async def open(self, run_id: RunId, fence: int) -> Opened:
        return await self._engine.write(lambda tx: session_runs.open_for(tx, run_id, fence))

    async def drop_unused(self, before_us: int, limit: int) -> int:
        def write(tx: Tx) -> int:
            found = tx.all(_UNUSED, {"before_us": before_us, "limit": limit})
            for agent, session_id in found:
                _remove(tx, SessionKey(agent, session_id))
            return len(found)

        return await self._engine.write(write)


def _begin(tx: Tx, key: SessionKey, actor: str) -> None:
    if tx.count(_NEW, {**versions.params_of(key), "actor": actor}) == 0:
        raise Conflict(f"Session {key.id} of {key.agent} exists already.", hint="choose another id")


def _lock(tx: Tx, key: SessionKey, force: bool) -> int | None:
    """Keep new runs out until the end of this write. Raises NotFound, and SessionBusy unless `force`. Returns
    the version below which history may go: None while a run may still need any."""
    if tx.count(_LOCK, versions.params_of(key)) == 0:
        raise _no_such(key)
    runs = open_runs(tx, key)
    if runs and not force:
        raise busy(key, runs, "do it all the same with `force` (`--force`)")
    return None if runs else _NO_CURSOR


def _remove(tx: Tx, key: SessionKey) -> None:
    for table in _TABLES:
        where = "agent = :agent AND session_id = :session"
        tx.run(f"DELETE FROM {table} WHERE {where}", versions.params_of(key))


def _get(tx: Tx, key: SessionKey) -> Session:
    row = tx.one(_GET, versions.params_of(key))
    if row is None:
        raise _no_such(key)
    return _session_from(row)


def _no_such(key: SessionKey) -> NotFound:
    return NotFound(f"There is no session {key.id} of {key.agent}.", hint="`ao sessions list` shows them")


def _moved_on(key: SessionKey, expected: int, version: int) -> Conflict:
    return Conflict(
        f"Session {key.id} of {key.agent} has version {version}, not {expected} any more.",
        hint="read it again, and change what is there now",
        details={"version": version, "expected": expected},
    )


def _session_from(row: Row) -> Session:
    state = Payload(row[14], row[15])
    return Session(
        key=SessionKey(row[0], row[1]),
        created_us=row[2],
        used_us=row[3],
        actor=row[4],
        version=row[5],
        at_us=row[6],
        state=None if state == Payload() else state,
        messages=row[7],
        workspace=versions.workspace_from(row[8:12]),
        active=row[12],
        open_runs=row[13],
    )
