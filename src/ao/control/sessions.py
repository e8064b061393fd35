"""Sessions as people see and change them; what runs write to them comes with their steps and ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import JsonValue

from ao.bus import Bus
from ao.control import audit
from ao.control.payloads import Payloads, dump
from ao.control.session_use import announce_cancelled
from ao.control.workspace_archives import archive_of, list_archive, pieces_of
from ao.control.workspaces import Workspaces
from ao.domain.errors import Conflict, InvalidInput, NotFound, Problem
from ao.domain.payload import Payload
from ao.domain.session import MAX_CONTENT_BYTES, MAX_STATE_BYTES, NewMessage, Workspace
from ao.domain.workspace import Manifest
from ao.ids import RunId, uuid7
from ao.store import Store
from ao.store.audit import NewAudit
from ao.store.sessions import (
    NewSession,
    Session,
    SessionEdit,
    SessionFilter,
    SessionKey,
    SessionMessage,
    SessionVersion,
)
from ao.wire.sessions import MessageIn, SessionCopy, SessionCreate, SessionPatch, SessionRestore

_TRIES = 5
"""Of an edit that names no version, when others edit at the same time."""


class Sessions:
    """Every method raises NotFound for a session, or a version of it, that is not there."""

    def __init__(self, store: Store, payloads: Payloads, workspaces: Workspaces, bus: Bus) -> None:
        self._store = store
        self._payloads = payloads
        self._workspaces = workspaces
        self._bus = bus

    async def create(self, request: SessionCreate, actor: str) -> Session:
        """Raises Conflict when it exists, InvalidInput for what is too large."""
        await self._store.agents.get(request.agent)
        key = SessionKey(request.agent, request.id or uuid7())
        state = await self._keep(request.state, "state", MAX_STATE_BYTES)
        new = NewSession(key, actor, state, await self._said(request.messages))
        return await self._store.sessions.create(new, _entry(actor, "session.create", key))

    async def get(self, key: SessionKey) -> Session:
        return await self._store.sessions.get(key)

    async def list(self, where: SessionFilter, limit: int) -> Sequence[Session]:
        """Last used first."""
        return await self._store.sessions.list(where, limit)

    async def messages(
        self, key: SessionKey, version: int | None, after: int, limit: int
    ) -> Sequence[SessionMessage]:
        number = (await self.get(key)).version if version is None else (await self.at(key, version)).version
        return await self._store.sessions.messages(key, number, after, limit)

    async def history(self, key: SessionKey, before: int | None, limit: int) -> Sequence[SessionVersion]:
        """Newest version first."""
        found = await self._store.sessions.history(key, before, limit)
        if not found:
            await self.get(key)
        return found

    async def at(self, key: SessionKey, version: int) -> SessionVersion:
        found = await self._store.sessions.history(key, version + 1, 1)
        if not found or found[0].version != version:
            await self.get(key)
            raise NotFound(
                f"Session {key.id} of {key.agent} has no version {version}.",
                hint=f"`ao sessions history {key.agent} {key.id}` lists those that are kept",
            )
        return found[0]

    async def value(self, payload: Payload | None) -> JsonValue:
        return await self._payloads.value(payload)

    async def text(self, payload: Payload) -> str:
        """Its JSON."""
        return await self._payloads.text(payload) or "null"

    async def edit(self, key: SessionKey, patch: SessionPatch, actor: str) -> Session:
        """Raises Conflict when `version` is not the present one, SessionBusy, InvalidInput."""
        if not (patch.state or patch.remove or patch.messages):
            return await self.get(key)
        messages = await self._said(patch.messages)
        for left in reversed(range(_TRIES)):
            session = await self.get(key)
            state: dict[str, JsonValue] = dict(await self._object(session.state))
            for name in patch.remove:
                state.pop(name, None)
            state |= patch.state
            edit = SessionEdit(
                key,
                actor,
                patch.version or session.version,
                patch.force,
                await self._keep(state, "state", MAX_STATE_BYTES) if patch.state or patch.remove else None,
                messages,
            )
            try:
                entry = _entry(actor, "session.edit", key, force=patch.force or None)
                return await self._store.sessions.edit(edit, entry)
            except Conflict as error:
                if patch.version or not left or type(error) is not Conflict:
                    raise
        raise AssertionError("unreachable")

    async def restore(self, key: SessionKey, request: SessionRestore, actor: str) -> Session:
        """Make it what it was in a version. Raises SessionBusy."""
        entry = _entry(actor, "session.restore", key, version=request.version)
        return await self._store.sessions.restore(key, request.version, actor, force=request.force, audit=entry)

    async def copy(self, key: SessionKey, request: SessionCopy, actor: str) -> Session:
        """Raises Conflict when the other one exists."""
        target = SessionKey(key.agent, request.id or uuid7())
        entry = _entry(actor, "session.copy", key, to=target.id)
        return await self._store.sessions.copy(key, request.version, target, actor, entry)

    async def delete(self, key: SessionKey, force: bool, actor: str) -> Sequence[RunId]:
        """The runs that were cancelled. Raises SessionBusy."""
        entry = _entry(actor, "session.delete", key, force=force or None)
        runs = await self._store.sessions.delete(key, actor, force=force, audit=entry)
        announce_cancelled(self._bus, runs)
        return runs

    # --- workspaces ---

    async def workspace(self, key: SessionKey, version: int | None) -> tuple[int, Manifest]:
        """(version, what was in it)."""
        now = await self.get(key) if version is None else await self.at(key, version)
        return now.version, await self._workspaces.manifest(now.workspace)

    def archive(self, manifest: Manifest) -> AsyncIterator[bytes]:
        return archive_of(self._workspaces, manifest)

    def file(self, manifest: Manifest, path: str) -> AsyncIterator[bytes]:
        """Raises NotFound at the first piece."""
        return self._workspaces.content(manifest, path)

    async def replace_workspace(
        self, key: SessionKey, archive: Path, version: int | None, force: bool, actor: str
    ) -> Session:
        """The content of a tar archive takes the place of what is there. Raises UploadRefused and InvalidInput
        for what is no workspace, Conflict, SessionBusy."""
        session = await self.get(key)
        kept = await self._take(archive, session.workspace)
        edit = SessionEdit(key, actor, version or session.version, force, workspace=kept)
        entry = _entry(actor, "session.upload", key, files=kept.files, bytes=kept.bytes)
        return await self._store.sessions.edit(edit, entry)

    async def _take(self, archive: Path, former: Workspace | None) -> Workspace:
        listed = await asyncio.to_thread(list_archive, archive, self._workspaces.max_bytes)
        manifest = await self._workspaces.manifest(former)
        intake = self._workspaces.intake(listed.items, former, manifest)
        try:
            pieces = pieces_of(archive, [listed.members[entry.path] for entry in intake.wanted])
            while piece := await asyncio.to_thread(next, pieces, b""):
                await intake.feed(piece)
            return await intake.finish()
        finally:
            intake.close()

    async def _said(self, messages: Sequence[MessageIn]) -> Sequence[NewMessage]:
        return [
            NewMessage(message.role, await self._keep(message.content, "messages", MAX_CONTENT_BYTES))
            for message in messages
        ]

    async def _keep(self, value: JsonValue, field: str, most: int) -> Payload:
        text = dump(value)
        if len(text) > most or len(text.encode()) > most:
            message = f"is more than {most:,} bytes"
            problems = [Problem(field, message, "keep what is large in the workspace")]
            raise InvalidInput(f"{field} {message}", hint=problems[0].hint, problems=problems)
        return await self._payloads.keep(text, field)

    async def _object(self, payload: Payload | None) -> dict[str, JsonValue]:
        value = await self._payloads.value(payload)
        return value if isinstance(value, dict) else {}


def _entry(actor: str, action: str, key: SessionKey, **details: JsonValue) -> NewAudit:
    return audit.entry(actor, action, f"session:{key.id}", key.agent, **details)
