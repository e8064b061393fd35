"""Sessions as `Call`s; see `ao.client.calls`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from ao.client.calls import listed, one, page
from ao.client.wire import Call

if TYPE_CHECKING:
    from ao.wire.schemas import Page
    from ao.wire.sessions import (
        MessageView,
        SessionDeleted,
        SessionSummary,
        SessionVersionSummary,
        SessionVersionView,
        SessionView,
        WorkspaceView,
    )

_SESSIONS = "/v1/sessions"
_VIEW = "sessions.SessionView"
OCTETS, TAR = "application/octet-stream", "application/x-tar"
TRANSFER_SECONDS = 300.0


def create_session(
    agent: str,
    id: str | None = None,
    *,
    state: Mapping[str, object] | None = None,
    messages: Sequence[Mapping[str, object]] = (),
) -> "Call[SessionView]":
    """Not repeatable: the second time it exists."""
    body = {"agent": agent, "id": id, "state": dict(state or {}), "messages": [dict(each) for each in messages]}
    return Call("POST", _SESSIONS, one(_VIEW), body=body, repeatable=False)


def list_sessions(
    *, agent: str | None = None, limit: int = 50, cursor: str | None = None
) -> "Call[Page[SessionSummary]]":
    query = {"agent": agent, "limit": limit, "cursor": cursor}
    return Call("GET", _SESSIONS, page("sessions.SessionSummary"), query)


def get_session(agent: str, id: str) -> "Call[SessionView]":
    return Call("GET", _path(agent, id), one(_VIEW))


def edit_session(
    agent: str,
    id: str,
    *,
    state: Mapping[str, object] | None = None,
    remove: Sequence[str] = (),
    messages: Sequence[Mapping[str, object]] = (),
    version: int | None = None,
    force: bool = False,
) -> "Call[SessionView]":
    """Not repeatable: messages would be appended twice."""
    body = {
        "state": dict(state or {}),
        "remove": list(remove),
        "messages": [dict(each) for each in messages],
        "version": version,
        "force": force,
    }
    return Call("PATCH", _path(agent, id), one(_VIEW), body=body, repeatable=False)


def session_messages(
    agent: str, id: str, *, after: int = 0, limit: int = 200, version: int | None = None
) -> "Call[list[MessageView]]":
    query = {"after": after or None, "limit": limit, "version": version}
    return Call("GET", _path(agent, id, "/messages"), listed("sessions.MessageView"), query)


def session_history(
    agent: str, id: str, *, limit: int = 50, cursor: str | None = None
) -> "Call[Page[SessionVersionSummary]]":
    query = {"limit": limit, "cursor": cursor}
    return Call("GET", _path(agent, id, "/history"), page("sessions.SessionVersionSummary"), query)


def session_version(agent: str, id: str, version: int) -> "Call[SessionVersionView]":
    return Call("GET", _path(agent, id, f"/versions/{version}"), one("sessions.SessionVersionView"))


def restore_session(agent: str, id: str, version: int, force: bool = False) -> "Call[SessionView]":
    body = {"version": version, "force": force}
    return Call("POST", _path(agent, id, "/restore"), one(_VIEW), body=body)


def copy_session(agent: str, id: str, to: str | None = None, version: int | None = None) -> "Call[SessionView]":
    """Not repeatable: the second time it exists."""
    body = {"id": to, "version": version}
    return Call("POST", _path(agent, id, "/copy"), one(_VIEW), body=body, repeatable=False)


def delete_session(agent: str, id: str, force: bool = False) -> "Call[SessionDeleted]":
    query = {"force": force or None}
    return Call("DELETE", _path(agent, id), one("sessions.SessionDeleted"), query, repeatable=False)


def get_workspace(agent: str, id: str, version: int | None = None) -> "Call[WorkspaceView]":
    query = {"version": version}
    return Call("GET", _path(agent, id, "/workspace"), one("sessions.WorkspaceView"), query)


def workspace_file(agent: str, id: str, path: str, version: int | None = None) -> Call[bytes]:
    query = {"path": path, "version": version}
    return Call(
        "GET", _path(agent, id, "/workspace/file"), bytes, query,
        patience_seconds=TRANSFER_SECONDS, media_type=OCTETS,
    )  # fmt: skip


def workspace_archive(agent: str, id: str, version: int | None = None) -> Call[bytes]:
    query = {"version": version}
    return Call(
        "GET", _path(agent, id, "/workspace/archive"), bytes, query,
        patience_seconds=TRANSFER_SECONDS, media_type=TAR,
    )  # fmt: skip


def replace_workspace(
    agent: str, id: str, version: int | None = None, force: bool = False
) -> "Call[SessionView]":
    """Its body is a tar archive, which drivers stream."""
    query = {"version": version, "force": force or None}
    return Call(
        "PUT", _path(agent, id, "/workspace"), one(_VIEW), query,
        repeatable=False, patience_seconds=TRANSFER_SECONDS,
    )  # fmt: skip


def _path(agent: str, id: str, rest: str = "") -> str:
    return f"{_SESSIONS}/{quote(agent, safe='')}/{quote(id, safe='')}{rest}"
