"""Sessions as the API shows them."""

from pydantic import JsonValue

from ao.clock import to_datetime
from ao.domain.session import Workspace
from ao.domain.workspace import Manifest
from ao.store.sessions import Session, SessionMessage, SessionVersion
from ao.wire import sessions as s


def session_summary(session: Session) -> s.SessionSummary:
    return s.SessionSummary(
        agent=session.key.agent,
        id=session.key.id,
        version=session.version,
        created_at=to_datetime(session.created_us),
        used_at=to_datetime(session.used_us),
        changed_at=to_datetime(session.at_us),
        actor=session.actor,
        messages=session.messages,
        workspace=_workspace(session.workspace),
        active_run=session.active,
        open_runs=session.open_runs,
    )


def session_view(session: Session, state: dict[str, JsonValue]) -> s.SessionView:
    return s.SessionView(**session_summary(session).model_dump(), state=state)


def message_view(message: SessionMessage, content: JsonValue) -> s.MessageView:
    return s.MessageView(
        seq=message.seq,
        role=message.role,
        content=content,
        run_id=message.run_id,
        at=to_datetime(message.at_us),
    )


def version_summary(version: SessionVersion) -> s.SessionVersionSummary:
    return s.SessionVersionSummary.model_validate(
        {
            "version": version.version,
            "at": to_datetime(version.at_us),
            "change": version.change,
            "actor": version.actor,
            "run_id": version.run_id,
            "step": version.step,
            "changed": list(version.changed),
            "messages": version.messages,
            "workspace": _workspace(version.workspace),
        }
    )


def workspace_view(version: int, manifest: Manifest) -> s.WorkspaceView:
    entries = [
        s.WorkspaceEntry(
            path=entry.path, kind=entry.kind.value, mode=entry.mode, size=entry.size, target=entry.target
        )
        for entry in manifest.entries
    ]
    return s.WorkspaceView(version=version, files=manifest.files, bytes=manifest.size, entries=entries)


def _workspace(workspace: Workspace | None) -> s.WorkspaceSummary | None:
    if workspace is None:
        return None
    return s.WorkspaceSummary(digest=workspace.digest, files=workspace.files, bytes=workspace.bytes)
