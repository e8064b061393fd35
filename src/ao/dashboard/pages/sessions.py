"""Sessions: what persists between runs, as a conversation, with its state, runs, history and files."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import JsonValue
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.navigation import Crumb
from ao.dashboard.pages.asked import number
from ao.dashboard.parameters import version_in, version_or_none_in
from ao.domain.errors import InvalidInput, Problem
from ao.domain.workspace import Kind
from ao.store.records import RunFilter
from ao.store.sessions import SessionFilter, SessionKey, SessionMessage
from ao.wire.schemas import SESSION_ID
from ao.wire.sessions import SessionCopy, SessionRestore

PAGE = 50
MESSAGES = 100
"""On one page: the newest, unless somebody goes back."""
RUNS = 10
SESSIONS = Crumb("Sessions", "/sessions")


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it is shown."""

    message: SessionMessage
    text: str
    is_json: bool


class SessionPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._sessions = frame.services.sessions
        self._store = frame.services.store

    def routes(self) -> list[Route]:
        page, action = self._frame.page, self._frame.action
        one = "/agents/{agent}/sessions/{session}"
        return [
            page("/sessions", self.sessions, "list_sessions"),
            page(one, self.session, "get_session"),
            page(f"{one}/history", self.history, "list_session_history"),
            page(f"{one}/files", self.files, "get_session"),
            page(f"{one}/file", self.file, "get_session"),
            action(f"{one}/copy", self.copy, "copy_session"),
            action(f"{one}/restore", self.restore, "restore_session"),
            action(f"{one}/delete", self.delete, "delete_session"),
        ]

    async def sessions(self, visit: Visit) -> Response:
        agent = visit.query.get("agent", "")
        where = SessionFilter(agent or None, () if agent else visit.scope, _cursor(visit))
        found = await self._sessions.list(where, PAGE + 1)
        names = [each.name for each in await self._store.agents.list()]
        last = found[PAGE - 1] if len(found) > PAGE else None
        more = f"/sessions?agent={agent}&before={last.used_us}.{last.key.agent}.{last.key.id}" if last else None
        return self._frame.render(
            visit,
            "sessions.html",
            title="Sessions",
            section="sessions",
            sessions=found[:PAGE],
            names=[name for name in names if not visit.scope or name in visit.scope],
            agent=agent,
            more=more,
            is_first=where.before is None,
        )

    async def session(self, visit: Visit) -> Response:
        """Three reads: the session with its state, a page of its messages, its newest runs."""
        key = _key(visit)
        session = await self._sessions.get(key)
        until = min(number(visit, "until", session.messages), session.messages)
        first = max(0, until - MESSAGES)
        messages = (
            await self._store.sessions.messages(key, session.version, first, until - first) if until else []
        )
        runs = await self._store.runs.list(RunFilter(agent=key.agent, session=key.id), RUNS)
        return self._frame.render(
            visit,
            "session.html",
            title=key.id,
            section="sessions",
            crumbs=(SESSIONS, Crumb(key.agent, f"/sessions?agent={key.agent}")),
            session=session,
            state=_pretty(await self._sessions.value(session.state)),
            said=[await self._said(message) for message in messages],
            earlier=first,
            is_last=until == session.messages,
            runs=runs,
            path=_path(key),
            name=f"{key.agent} {key.id}",
        )

    async def history(self, visit: Visit) -> Response:
        key, before = _key(visit), number(visit, "before", 0)
        found = await self._sessions.history(key, before or None, PAGE + 1)
        return self._frame.render(
            visit,
            "session_history.html",
            title=f"History of {key.id}",
            section="sessions",
            crumbs=(SESSIONS, Crumb(key.id, _path(key))),
            versions=found[:PAGE],
            older=found[PAGE - 1].version if len(found) > PAGE else None,
            path=_path(key),
            key=key,
            is_newest=not before,
            name=f"{key.agent} {key.id}",
        )

    async def files(self, visit: Visit) -> Response:
        key = _key(visit)
        version, manifest = await self._sessions.workspace(key, None)
        return self._frame.render(
            visit,
            "session_files.html",
            title=f"Files of {key.id}",
            section="sessions",
            crumbs=(SESSIONS, Crumb(key.id, _path(key))),
            version=version,
            entries=[entry for entry in manifest.entries if entry.kind is not Kind.DIRECTORY],
            path=_path(key),
            name=f"{key.agent} {key.id}",
        )

    async def file(self, visit: Visit) -> Response:
        """As a download, whatever it is: what an agent wrote is never a page of this server."""
        name = visit.query.get("path", "")
        _, manifest = await self._sessions.workspace(_key(visit), None)
        pieces = self._sessions.file(manifest, name)
        first = await anext(pieces, b"")  # a file that is not there is an error before the answer begins

        async def all_of_it() -> AsyncIterator[bytes]:
            yield first
            async for piece in pieces:
                yield piece

        base = quote(name.rpartition("/")[2])
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{base}"}
        return StreamingResponse(all_of_it(), headers=headers, media_type="application/octet-stream")

    async def copy(self, visit: Visit) -> Response:
        wanted = visit.form.get("id", "").strip()
        if wanted and not re.fullmatch(SESSION_ID, wanted):
            problem = Problem("id", "begins with a letter or digit, then letters, digits and . _ : @ -")
            raise InvalidInput(f"id {problem.message}", problems=[problem])
        body = SessionCopy(id=wanted or None, version=version_or_none_in(visit.form, "version"))
        made = await self._sessions.copy(_key(visit), body, visit.actor)
        return redirect(_path(made.key))

    async def restore(self, visit: Visit) -> Response:
        version = version_in(visit.form, "version")
        body = SessionRestore(version=version, force=visit.form.get("force") == "true")
        restored = await self._sessions.restore(_key(visit), body, visit.actor)
        return redirect(_path(restored.key))

    async def delete(self, visit: Visit) -> Response:
        await self._sessions.delete(_key(visit), visit.form.get("force") == "true", visit.actor)
        return redirect("/sessions")

    async def _said(self, message: SessionMessage) -> Said:
        value = await self._sessions.value(message.content)
        text = value if isinstance(value, str) else _pretty(value)
        return Said(message, text, not isinstance(value, str))


def _key(visit: Visit) -> SessionKey:
    return SessionKey(visit.path["agent"], visit.path["session"])


def _path(key: SessionKey) -> str:
    return f"/agents/{key.agent}/sessions/{key.id}"


def _cursor(visit: Visit) -> tuple[int, str, str] | None:
    """Where the page begins; a cursor that somebody changed is the first page."""
    used, _, rest = visit.query.get("before", "").partition(".")
    agent, _, session = rest.partition(".")
    return (int(used), agent, session) if used.isascii() and used.isdigit() and len(used) < 18 else None


def _pretty(value: JsonValue) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "replace").decode()
