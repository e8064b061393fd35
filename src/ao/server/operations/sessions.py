"""Sessions: state, messages and workspaces."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import Field

from ao.server.operations.pages import cut, version_before
from ao.server.replies import bad_cursor, read_cursor
from ao.server.roles import Caller
from ao.server.routes.parameters import After, AgentFilter, Cursor, Limit
from ao.server.services import Services
from ao.server.session_views import message_view, session_summary, session_view, version_summary, workspace_view
from ao.store.sessions import Session, SessionFilter, SessionKey
from ao.wire.schemas import MAX_VERSION, Page, Request
from ao.wire.sessions import (
    Force,
    MessageView,
    SessionCopy,
    SessionCreate,
    SessionDeleted,
    SessionPatch,
    SessionRestore,
    SessionSummary,
    SessionVersionSummary,
    SessionVersionView,
    SessionView,
    WorkspaceView,
)

PAGE_CHARACTERS = 8 << 20
"""Of the messages of one page: each may have a million."""


class SessionsQuery(Request):
    agent: AgentFilter = None
    limit: Limit = 50
    cursor: Cursor = None


class VersionQuery(Request):
    version: int | None = Field(None, ge=1, le=MAX_VERSION, description="As it was then.")


class MessagesQuery(VersionQuery):
    after: After = 0
    limit: Limit = 200


class FileQuery(VersionQuery):
    path: str = Field(min_length=1, max_length=2000, description="Of a file in the workspace.")


class ForceQuery(Request):
    force: Force = False


class UploadQuery(ForceQuery):
    version: int | None = Field(
        None, ge=1, le=MAX_VERSION, description="Refused when it is not the present one."
    )


class SessionOperations:
    def __init__(self, services: Services) -> None:
        self._sessions = services.sessions

    async def create(self, caller: Caller, body: SessionCreate) -> SessionView:
        caller.require(body.agent)
        return await self._view(await self._sessions.create(body, caller.actor))

    async def list(self, caller: Caller, query: SessionsQuery) -> Page[SessionSummary]:
        scope = caller.scope if query.agent is None else ()
        where = SessionFilter(query.agent, scope, _position(query.cursor))
        found, more = cut(await self._sessions.list(where, query.limit + 1), query.limit, _place)
        items = [session_summary(session) for session in found]
        return Page[SessionSummary].model_construct(items=items, next=more)

    async def get(self, key: SessionKey) -> SessionView:
        return await self._view(await self._sessions.get(key))

    async def edit(self, caller: Caller, key: SessionKey, body: SessionPatch) -> SessionView:
        return await self._view(await self._sessions.edit(key, body, caller.actor))

    async def messages(self, key: SessionKey, query: MessagesQuery) -> tuple[Sequence[MessageView], bool]:
        """(as many as are not too large together, and one at least; whether these are all that follow)."""
        found = await self._sessions.messages(key, query.version, query.after, query.limit)
        views: list[MessageView] = []
        size = 0
        for each in found:
            text = await self._sessions.text(each.content)
            size += len(text)
            if views and size > PAGE_CHARACTERS:
                return views, False
            views.append(message_view(each, json.loads(text)))
        return views, len(found) < query.limit

    async def history(self, key: SessionKey, limit: int, cursor: str | None) -> Page[SessionVersionSummary]:
        versions = await self._sessions.history(key, version_before(cursor), limit + 1)
        found, more = cut(versions, limit, lambda each: each.version)
        items = [version_summary(each) for each in found]
        return Page[SessionVersionSummary].model_construct(items=items, next=more)

    async def at(self, key: SessionKey, version: int) -> SessionVersionView:
        found = await self._sessions.at(key, version)
        state = await self._sessions.value(found.state)
        return SessionVersionView(**version_summary(found).model_dump(), state=state)

    async def restore(self, caller: Caller, key: SessionKey, body: SessionRestore) -> SessionView:
        return await self._view(await self._sessions.restore(key, body, caller.actor))

    async def copy(self, caller: Caller, key: SessionKey, body: SessionCopy) -> SessionView:
        return await self._view(await self._sessions.copy(key, body, caller.actor))

    async def delete(self, caller: Caller, key: SessionKey, force: bool) -> SessionDeleted:
        return SessionDeleted(cancelled=list(await self._sessions.delete(key, force, caller.actor)))

    async def workspace(self, key: SessionKey, version: int | None) -> WorkspaceView:
        number, manifest = await self._sessions.workspace(key, version)
        return workspace_view(number, manifest)

    async def archive(self, key: SessionKey, version: int | None) -> AsyncIterator[bytes]:
        _, manifest = await self._sessions.workspace(key, version)
        return self._sessions.archive(manifest)

    async def file(self, key: SessionKey, query: FileQuery) -> AsyncIterator[bytes]:
        """Raises NotFound."""
        _, manifest = await self._sessions.workspace(key, query.version)
        return self._sessions.file(manifest, query.path)

    async def upload(self, caller: Caller, key: SessionKey, archive: Path, query: UploadQuery) -> SessionView:
        done = await self._sessions.replace_workspace(key, archive, query.version, query.force, caller.actor)
        return await self._view(done)

    async def _view(self, session: Session) -> SessionView:
        state = await self._sessions.value(session.state)
        return session_view(session, state if isinstance(state, dict) else {})


def _place(session: Session) -> str:
    return f"{session.used_us} {session.key.agent} {session.key.id}"


def _position(cursor: str | None) -> tuple[int, str, str] | None:
    text = read_cursor(cursor)
    if text is None:
        return None
    used, _, rest = text.partition(" ")
    agent, _, id = rest.partition(" ")
    if not used.isdecimal() or len(used) > 18 or not agent or not id:
        raise bad_cursor()
    return int(used), agent, id
