"""The versions of a session inside of one write: read the latest, add the next, take messages back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ao.domain.errors import NotFound
from ao.domain.payload import Payload
from ao.domain.session import KEPT_VERSIONS, Change, NewMessage, Workspace
from ao.ids import Digest, RunId
from ao.store.sessions import SessionKey, SessionVersion
from ao.store.sql.codec import clean, to_json
from ao.store.sql.engine import Params, Row, Tx

VERSION_COLUMNS = """
v.version, v.at_us, v.change, v.actor, v.run_id, v.step, v.changed, v.state, v.state_blob, v.messages,
  v.workspace, v.workspace_blobs, v.workspace_files, v.workspace_bytes"""

_LATEST = f"""
SELECT {VERSION_COLUMNS} FROM session_version v WHERE v.agent = :agent AND v.session_id = :session
ORDER BY v.version DESC LIMIT 1"""

_GET = f"""
SELECT {VERSION_COLUMNS} FROM session_version v
WHERE v.agent = :agent AND v.session_id = :session AND v.version = :version"""

_INSERT = """
INSERT INTO session_version (agent, session_id, version, at_us, change, actor, run_id, step, changed, state,
  state_blob, messages, workspace, workspace_blobs, workspace_files, workspace_bytes)
VALUES (:agent, :session, :version, :now, :change, :actor, :run_id, :step, :changed, :state, :state_blob,
  :messages, :workspace, :workspace_blobs, :workspace_files, :workspace_bytes)
ON CONFLICT (agent, session_id, version) DO NOTHING"""

_DROP_VERSIONS = """
DELETE FROM session_version WHERE agent = :agent AND session_id = :session AND version < :floor"""

_DROP_MESSAGES = """
DELETE FROM session_message WHERE agent = :agent AND session_id = :session
  AND until_version IS NOT NULL AND until_version <= :floor"""

_LIVE_AFTER = """
SELECT seq, role, content, content_blob FROM session_message
WHERE agent = :agent AND session_id = :session AND seq > :after_seq AND until_version IS NULL ORDER BY seq"""

_END_AFTER = """
UPDATE session_message SET until_version = :version
WHERE agent = :agent AND session_id = :session AND seq > :after_seq AND until_version IS NULL"""

_END_NEWER = """
UPDATE session_message SET until_version = :version
WHERE agent = :agent AND session_id = :session AND version > :to AND until_version IS NULL"""

_REVIVE = """
INSERT INTO session_message (agent, session_id, seq, version, until_version, at_us, run_id, role, content,
  content_blob)
SELECT agent, session_id, seq, :version, NULL, at_us, run_id, role, content, content_blob FROM session_message
WHERE agent = :agent AND session_id = :session AND version <= :to AND until_version > :to"""

_ADD = """
INSERT INTO session_message (agent, session_id, seq, version, at_us, run_id, role, content, content_blob)
VALUES (:agent, :session, :seq, :version, :at_us, :run_id, :role, :content, :content_blob)"""


@dataclass(frozen=True, slots=True)
class Cause:
    """Who makes a version, and why. Versions below `floor` may go."""

    change: Change
    actor: str
    floor: int | None = None
    """None: history stays whole."""
    run_id: RunId | None = None
    step: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What of a version is another than before; None is as it was."""

    state: Payload | None = None
    messages: int | None = None
    workspace: Workspace | None = None


def params_of(key: SessionKey) -> Params:
    return {"agent": key.agent, "session": key.id}


def latest(tx: Tx, key: SessionKey) -> SessionVersion | None:
    row = tx.one(_LATEST, params_of(key))
    return None if row is None else version_from(row)


def version(tx: Tx, key: SessionKey, number: int) -> SessionVersion:
    row = tx.one(_GET, {**params_of(key), "version": number})
    if row is None:
        raise NotFound(
            f"Session {key.id} of {key.agent} has no version {number}.",
            hint=f"`ao sessions history {key.agent} {key.id}` lists those that are kept",
        )
    return version_from(row)


def insert(
    tx: Tx, key: SessionKey, number: int, cause: Cause, before: SessionVersion | None, content: Content
) -> bool:
    """Whether it is version `number` now; False when somebody else has made that one."""
    state = content.state or (before.state if before else Payload("{}"))
    workspace = content.workspace or (before.workspace if before else None)
    count = content.messages
    params: Params = {
        **params_of(key),
        "version": number,
        "change": cause.change.value,
        "actor": cause.actor,
        "run_id": cause.run_id,
        "step": cause.step,
        "changed": " ".join(_changed(content)),
        "state": state.inline,
        "state_blob": state.blob,
        "messages": (before.messages if before else 0) if count is None else count,
        "workspace": workspace.digest if workspace else None,
        "workspace_blobs": to_json(list(workspace.blobs)) if workspace else None,
        "workspace_files": workspace.files if workspace else 0,
        "workspace_bytes": workspace.bytes if workspace else 0,
    }
    if tx.count(_INSERT, params) == 0:
        return False
    if cause.floor is not None and number > KEPT_VERSIONS:
        _prune(tx, key, min(cause.floor, number - KEPT_VERSIONS + 1))
    return True


def _changed(content: Content) -> Sequence[str]:
    names = ("state", "messages", "workspace")
    return [name for name in names if getattr(content, name) is not None]


def _prune(tx: Tx, key: SessionKey, floor: int) -> None:
    tx.run(_DROP_VERSIONS, {**params_of(key), "floor": floor})
    tx.run(_DROP_MESSAGES, {**params_of(key), "floor": floor})


def add_messages(
    tx: Tx, key: SessionKey, number: int, first_seq: int, messages: Sequence[NewMessage], run_id: RunId | None
) -> None:
    """Give them the seqs from `first_seq` on, as part of version `number`."""
    rows = [
        {
            **params_of(key),
            "seq": seq,
            "version": number,
            "at_us": tx.now_us,
            "run_id": run_id,
            "role": clean(message.role),
            "content": message.content.inline,
            "content_blob": message.content.blob,
        }
        for seq, message in enumerate(messages, first_seq)
    ]
    if rows:
        tx.many(_ADD, rows)


def messages_after(tx: Tx, key: SessionKey, seq: int) -> Sequence[tuple[str, str | None, str | None]]:
    """(role, content, blob) of what follows a seq now."""
    rows = tx.all(_LIVE_AFTER, {**params_of(key), "after_seq": seq})
    return [(role, content, blob) for _, role, content, blob in rows]


def take_back_after(tx: Tx, key: SessionKey, number: int, seq: int) -> None:
    """Version `number` has no message above this seq."""
    tx.run(_END_AFTER, {**params_of(key), "version": number, "after_seq": seq})


def restore(tx: Tx, key: SessionKey, to: SessionVersion, number: int) -> None:
    """Version `number` has the messages that version `to` had."""
    params = {**params_of(key), "version": number, "to": to.version}
    tx.run(_END_NEWER, params)
    tx.run(_REVIVE, params)


def content_of(to: SessionVersion) -> Content:
    """All of a version, for another one. A workspace that was not there yet is an empty one."""
    return Content(to.state, to.messages, to.workspace)


def version_from(row: Row) -> SessionVersion:
    return SessionVersion(
        version=row[0],
        at_us=row[1],
        change=Change(row[2]),
        actor=row[3],
        run_id=row[4],
        step=row[5],
        changed=row[6].split(),
        state=Payload(row[7], row[8]),
        messages=row[9],
        workspace=workspace_from(row[10:14]),
    )


def workspace_from(row: Row) -> Workspace | None:
    digest, blobs, files, size = row
    if digest is None:
        return None
    return Workspace(Digest(digest), [Digest(blob) for blob in json.loads(blobs)], files, size)
