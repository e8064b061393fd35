import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_CHANGE_UNSPECIFIED: _ClassVar[SessionChange]
    SESSION_CHANGE_CREATED: _ClassVar[SessionChange]
    SESSION_CHANGE_COPIED: _ClassVar[SessionChange]
    SESSION_CHANGE_RUN: _ClassVar[SessionChange]
    SESSION_CHANGE_EDITED: _ClassVar[SessionChange]
    SESSION_CHANGE_RESTORED: _ClassVar[SessionChange]
    SESSION_CHANGE_ROLLED_BACK: _ClassVar[SessionChange]
SESSION_CHANGE_UNSPECIFIED: SessionChange
SESSION_CHANGE_CREATED: SessionChange
SESSION_CHANGE_COPIED: SessionChange
SESSION_CHANGE_RUN: SessionChange
SESSION_CHANGE_EDITED: SessionChange
SESSION_CHANGE_RESTORED: SessionChange
SESSION_CHANGE_ROLLED_BACK: SessionChange

class ListSessionsRequest(_message.Message):
    __slots__ = ("agent", "limit", "cursor")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    agent: str
    limit: int
    cursor: str
    def __init__(self, agent: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SessionSummary]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[SessionSummary, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class SessionSummary(_message.Message):
    __slots__ = ("agent", "id", "version", "created_at", "used_at", "changed_at", "actor", "messages", "workspace", "active_run", "open_runs")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    USED_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_RUN_FIELD_NUMBER: _ClassVar[int]
    OPEN_RUNS_FIELD_NUMBER: _ClassVar[int]
    agent: str
    id: str
    version: int
    created_at: _timestamp_pb2.Timestamp
    used_at: _timestamp_pb2.Timestamp
    changed_at: _timestamp_pb2.Timestamp
    actor: str
    messages: int
    workspace: Workspace
    active_run: str
    open_runs: int
    def __init__(self, agent: _Optional[str] = ..., id: _Optional[str] = ..., version: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., used_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., messages: _Optional[int] = ..., workspace: _Optional[_Union[Workspace, _Mapping]] = ..., active_run: _Optional[str] = ..., open_runs: _Optional[int] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("agent", "id", "version", "created_at", "used_at", "changed_at", "actor", "messages", "workspace", "active_run", "open_runs", "state_json")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    USED_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_RUN_FIELD_NUMBER: _ClassVar[int]
    OPEN_RUNS_FIELD_NUMBER: _ClassVar[int]
    STATE_JSON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    id: str
    version: int
    created_at: _timestamp_pb2.Timestamp
    used_at: _timestamp_pb2.Timestamp
    changed_at: _timestamp_pb2.Timestamp
    actor: str
    messages: int
    workspace: Workspace
    active_run: str
    open_runs: int
    state_json: str
    def __init__(self, agent: _Optional[str] = ..., id: _Optional[str] = ..., version: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., used_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., messages: _Optional[int] = ..., workspace: _Optional[_Union[Workspace, _Mapping]] = ..., active_run: _Optional[str] = ..., open_runs: _Optional[int] = ..., state_json: _Optional[str] = ...) -> None: ...

class Workspace(_message.Message):
    __slots__ = ("digest", "files", "bytes")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    digest: str
    files: int
    bytes: int
    def __init__(self, digest: _Optional[str] = ..., files: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class GetSessionRequest(_message.Message):
    __slots__ = ("agent", "session")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class NewMessage(_message.Message):
    __slots__ = ("role", "content_json")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_JSON_FIELD_NUMBER: _ClassVar[int]
    role: str
    content_json: str
    def __init__(self, role: _Optional[str] = ..., content_json: _Optional[str] = ...) -> None: ...

class CreateSessionRequest(_message.Message):
    __slots__ = ("agent", "id", "state_json", "messages")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_JSON_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    agent: str
    id: str
    state_json: str
    messages: _containers.RepeatedCompositeFieldContainer[NewMessage]
    def __init__(self, agent: _Optional[str] = ..., id: _Optional[str] = ..., state_json: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[NewMessage, _Mapping]]] = ...) -> None: ...

class EditSessionRequest(_message.Message):
    __slots__ = ("agent", "session", "state_json", "remove", "messages", "version", "force")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STATE_JSON_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    state_json: str
    remove: _containers.RepeatedScalarFieldContainer[str]
    messages: _containers.RepeatedCompositeFieldContainer[NewMessage]
    version: int
    force: bool
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., state_json: _Optional[str] = ..., remove: _Optional[_Iterable[str]] = ..., messages: _Optional[_Iterable[_Union[NewMessage, _Mapping]]] = ..., version: _Optional[int] = ..., force: _Optional[bool] = ...) -> None: ...

class DeleteSessionRequest(_message.Message):
    __slots__ = ("agent", "session", "force")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    force: bool
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class DeleteSessionResponse(_message.Message):
    __slots__ = ("cancelled",)
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    cancelled: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cancelled: _Optional[_Iterable[str]] = ...) -> None: ...

class ListSessionMessagesRequest(_message.Message):
    __slots__ = ("agent", "session", "version", "after", "limit")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    version: int
    after: int
    limit: int
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., version: _Optional[int] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListSessionMessagesResponse(_message.Message):
    __slots__ = ("items", "complete")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Message]
    complete: bool
    def __init__(self, items: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., complete: _Optional[bool] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("seq", "role", "content_json", "run_id", "at")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_JSON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    seq: int
    role: str
    content_json: str
    run_id: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, seq: _Optional[int] = ..., role: _Optional[str] = ..., content_json: _Optional[str] = ..., run_id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListSessionHistoryRequest(_message.Message):
    __slots__ = ("agent", "session", "limit", "cursor")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    limit: int
    cursor: str
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListSessionHistoryResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SessionVersionSummary]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[SessionVersionSummary, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class SessionVersionSummary(_message.Message):
    __slots__ = ("version", "at", "change", "actor", "run_id", "step", "changed", "messages", "workspace")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    version: int
    at: _timestamp_pb2.Timestamp
    change: SessionChange
    actor: str
    run_id: str
    step: str
    changed: _containers.RepeatedScalarFieldContainer[str]
    messages: int
    workspace: Workspace
    def __init__(self, version: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., change: _Optional[_Union[SessionChange, str]] = ..., actor: _Optional[str] = ..., run_id: _Optional[str] = ..., step: _Optional[str] = ..., changed: _Optional[_Iterable[str]] = ..., messages: _Optional[int] = ..., workspace: _Optional[_Union[Workspace, _Mapping]] = ...) -> None: ...

class SessionVersion(_message.Message):
    __slots__ = ("version", "at", "change", "actor", "run_id", "step", "changed", "messages", "workspace", "state_json")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    STATE_JSON_FIELD_NUMBER: _ClassVar[int]
    version: int
    at: _timestamp_pb2.Timestamp
    change: SessionChange
    actor: str
    run_id: str
    step: str
    changed: _containers.RepeatedScalarFieldContainer[str]
    messages: int
    workspace: Workspace
    state_json: str
    def __init__(self, version: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., change: _Optional[_Union[SessionChange, str]] = ..., actor: _Optional[str] = ..., run_id: _Optional[str] = ..., step: _Optional[str] = ..., changed: _Optional[_Iterable[str]] = ..., messages: _Optional[int] = ..., workspace: _Optional[_Union[Workspace, _Mapping]] = ..., state_json: _Optional[str] = ...) -> None: ...

class GetSessionVersionRequest(_message.Message):
    __slots__ = ("agent", "session", "version")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    version: int
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class RestoreSessionRequest(_message.Message):
    __slots__ = ("agent", "session", "version", "force")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    version: int
    force: bool
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., version: _Optional[int] = ..., force: _Optional[bool] = ...) -> None: ...

class CopySessionRequest(_message.Message):
    __slots__ = ("agent", "session", "id", "version")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    id: str
    version: int
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class GetWorkspaceRequest(_message.Message):
    __slots__ = ("agent", "session", "version")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    version: int
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class GetWorkspaceResponse(_message.Message):
    __slots__ = ("version", "files", "bytes", "entries")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    version: int
    files: int
    bytes: int
    entries: _containers.RepeatedCompositeFieldContainer[WorkspaceEntry]
    def __init__(self, version: _Optional[int] = ..., files: _Optional[int] = ..., bytes: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[WorkspaceEntry, _Mapping]]] = ...) -> None: ...

class WorkspaceEntry(_message.Message):
    __slots__ = ("path", "kind", "mode", "size", "target")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: str
    mode: int
    size: int
    target: str
    def __init__(self, path: _Optional[str] = ..., kind: _Optional[str] = ..., mode: _Optional[int] = ..., size: _Optional[int] = ..., target: _Optional[str] = ...) -> None: ...

class GetWorkspaceFileRequest(_message.Message):
    __slots__ = ("agent", "session", "version", "path")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    version: int
    path: str
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., version: _Optional[int] = ..., path: _Optional[str] = ...) -> None: ...

class GetWorkspaceArchiveRequest(_message.Message):
    __slots__ = ("agent", "session", "version")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    version: int
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class WorkspaceData(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class ReplaceWorkspaceRequest(_message.Message):
    __slots__ = ("agent", "session", "digest", "version", "force", "data")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    agent: str
    session: str
    digest: str
    version: int
    force: bool
    data: bytes
    def __init__(self, agent: _Optional[str] = ..., session: _Optional[str] = ..., digest: _Optional[str] = ..., version: _Optional[int] = ..., force: _Optional[bool] = ..., data: _Optional[bytes] = ...) -> None: ...
