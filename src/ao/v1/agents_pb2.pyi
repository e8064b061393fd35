import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeploymentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPLOYMENT_STATUS_UNSPECIFIED: _ClassVar[DeploymentStatus]
    DEPLOYMENT_STATUS_BUILDING: _ClassVar[DeploymentStatus]
    DEPLOYMENT_STATUS_SUCCEEDED: _ClassVar[DeploymentStatus]
    DEPLOYMENT_STATUS_FAILED: _ClassVar[DeploymentStatus]
DEPLOYMENT_STATUS_UNSPECIFIED: DeploymentStatus
DEPLOYMENT_STATUS_BUILDING: DeploymentStatus
DEPLOYMENT_STATUS_SUCCEEDED: DeploymentStatus
DEPLOYMENT_STATUS_FAILED: DeploymentStatus

class ListAgentsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAgentsResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Agent]
    def __init__(self, items: _Optional[_Iterable[_Union[Agent, _Mapping]]] = ...) -> None: ...

class Agent(_message.Message):
    __slots__ = ("name", "created_at", "stable", "last_good", "latest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STABLE_FIELD_NUMBER: _ClassVar[int]
    LAST_GOOD_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    created_at: _timestamp_pb2.Timestamp
    stable: int
    last_good: int
    latest: int
    def __init__(self, name: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stable: _Optional[int] = ..., last_good: _Optional[int] = ..., latest: _Optional[int] = ...) -> None: ...

class GetAgentRequest(_message.Message):
    __slots__ = ("agent",)
    AGENT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    def __init__(self, agent: _Optional[str] = ...) -> None: ...

class RollbackAgentRequest(_message.Message):
    __slots__ = ("agent", "to", "reason")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    to: int
    reason: str
    def __init__(self, agent: _Optional[str] = ..., to: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class RollbackAgentResponse(_message.Message):
    __slots__ = ("move", "restored", "not_restored")
    MOVE_FIELD_NUMBER: _ClassVar[int]
    RESTORED_FIELD_NUMBER: _ClassVar[int]
    NOT_RESTORED_FIELD_NUMBER: _ClassVar[int]
    move: PointerMove
    restored: _containers.RepeatedScalarFieldContainer[str]
    not_restored: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, move: _Optional[_Union[PointerMove, _Mapping]] = ..., restored: _Optional[_Iterable[str]] = ..., not_restored: _Optional[_Iterable[str]] = ...) -> None: ...

class PointerMove(_message.Message):
    __slots__ = ("agent", "environment", "pointer", "from_version", "to", "reason", "actor", "at")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    POINTER_FIELD_NUMBER: _ClassVar[int]
    FROM_VERSION_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    environment: str
    pointer: str
    from_version: int
    to: int
    reason: str
    actor: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, agent: _Optional[str] = ..., environment: _Optional[str] = ..., pointer: _Optional[str] = ..., from_version: _Optional[int] = ..., to: _Optional[int] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListPointerHistoryRequest(_message.Message):
    __slots__ = ("agent",)
    AGENT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    def __init__(self, agent: _Optional[str] = ...) -> None: ...

class ListPointerHistoryResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[PointerMove]
    def __init__(self, items: _Optional[_Iterable[_Union[PointerMove, _Mapping]]] = ...) -> None: ...

class ListDeploymentsRequest(_message.Message):
    __slots__ = ("agent", "limit", "cursor")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    agent: str
    limit: int
    cursor: str
    def __init__(self, agent: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListDeploymentsResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Deployment]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[Deployment, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class Deployment(_message.Message):
    __slots__ = ("id", "agent", "version", "status", "digest", "live", "message", "actor", "error", "created_at", "finished_at", "parts", "config_json", "warm")
    class PartsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Part
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Part, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    WARM_FIELD_NUMBER: _ClassVar[int]
    id: str
    agent: str
    version: int
    status: DeploymentStatus
    digest: str
    live: bool
    message: str
    actor: str
    error: str
    created_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    parts: _containers.MessageMap[str, Part]
    config_json: str
    warm: Warm
    def __init__(self, id: _Optional[str] = ..., agent: _Optional[str] = ..., version: _Optional[int] = ..., status: _Optional[_Union[DeploymentStatus, str]] = ..., digest: _Optional[str] = ..., live: _Optional[bool] = ..., message: _Optional[str] = ..., actor: _Optional[str] = ..., error: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., parts: _Optional[_Mapping[str, Part]] = ..., config_json: _Optional[str] = ..., warm: _Optional[_Union[Warm, _Mapping]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("digest", "size")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    digest: str
    size: int
    def __init__(self, digest: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class Warm(_message.Message):
    __slots__ = ("state", "why_cold")
    STATE_FIELD_NUMBER: _ClassVar[int]
    WHY_COLD_FIELD_NUMBER: _ClassVar[int]
    state: str
    why_cold: str
    def __init__(self, state: _Optional[str] = ..., why_cold: _Optional[str] = ...) -> None: ...

class GetDeploymentRequest(_message.Message):
    __slots__ = ("agent", "version")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    version: int
    def __init__(self, agent: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class WatchBuildRequest(_message.Message):
    __slots__ = ("agent", "version", "after")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    agent: str
    version: int
    after: int
    def __init__(self, agent: _Optional[str] = ..., version: _Optional[int] = ..., after: _Optional[int] = ...) -> None: ...

class BuildUpdate(_message.Message):
    __slots__ = ("line", "deployment")
    LINE_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    line: BuildLogLine
    deployment: Deployment
    def __init__(self, line: _Optional[_Union[BuildLogLine, _Mapping]] = ..., deployment: _Optional[_Union[Deployment, _Mapping]] = ...) -> None: ...

class BuildLogLine(_message.Message):
    __slots__ = ("seq", "at", "text")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    seq: int
    at: _timestamp_pb2.Timestamp
    text: str
    def __init__(self, seq: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., text: _Optional[str] = ...) -> None: ...

class GetDiffRequest(_message.Message):
    __slots__ = ("agent", "before", "after")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    agent: str
    before: int
    after: int
    def __init__(self, agent: _Optional[str] = ..., before: _Optional[int] = ..., after: _Optional[int] = ...) -> None: ...

class Diff(_message.Message):
    __slots__ = ("agent", "before", "after", "same", "parts")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    agent: str
    before: int
    after: int
    same: bool
    parts: _containers.RepeatedCompositeFieldContainer[PartDiff]
    def __init__(self, agent: _Optional[str] = ..., before: _Optional[int] = ..., after: _Optional[int] = ..., same: _Optional[bool] = ..., parts: _Optional[_Iterable[_Union[PartDiff, _Mapping]]] = ...) -> None: ...

class PartDiff(_message.Message):
    __slots__ = ("part", "change", "before", "after", "files")
    PART_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    part: str
    change: str
    before: str
    after: str
    files: _containers.RepeatedCompositeFieldContainer[FileChange]
    def __init__(self, part: _Optional[str] = ..., change: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ..., files: _Optional[_Iterable[_Union[FileChange, _Mapping]]] = ...) -> None: ...

class FileChange(_message.Message):
    __slots__ = ("path", "change", "binary", "diff")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    path: str
    change: str
    binary: bool
    diff: str
    def __init__(self, path: _Optional[str] = ..., change: _Optional[str] = ..., binary: _Optional[bool] = ..., diff: _Optional[str] = ...) -> None: ...

class CreateDeploymentRequest(_message.Message):
    __slots__ = ("agent", "digest", "message", "upgrade", "data")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    UPGRADE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    agent: str
    digest: str
    message: str
    upgrade: bool
    data: bytes
    def __init__(self, agent: _Optional[str] = ..., digest: _Optional[str] = ..., message: _Optional[str] = ..., upgrade: _Optional[bool] = ..., data: _Optional[bytes] = ...) -> None: ...
