import datetime

from ao.v1 import runs_pb2 as _runs_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListDeadLettersRequest(_message.Message):
    __slots__ = ("agent", "fingerprint", "all", "limit", "cursor")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    agent: str
    fingerprint: str
    all: bool
    limit: int
    cursor: str
    def __init__(self, agent: _Optional[str] = ..., fingerprint: _Optional[str] = ..., all: _Optional[bool] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListDeadLettersResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[DeadLetter]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[DeadLetter, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("run_id", "agent", "version", "fingerprint", "title", "step", "reason", "at", "replayed_by")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_BY_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    agent: str
    version: int
    fingerprint: str
    title: str
    step: str
    reason: str
    at: _timestamp_pb2.Timestamp
    replayed_by: str
    def __init__(self, run_id: _Optional[str] = ..., agent: _Optional[str] = ..., version: _Optional[int] = ..., fingerprint: _Optional[str] = ..., title: _Optional[str] = ..., step: _Optional[str] = ..., reason: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., replayed_by: _Optional[str] = ...) -> None: ...

class ListDeadLetterGroupsRequest(_message.Message):
    __slots__ = ("agent", "all", "limit")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    all: bool
    limit: int
    def __init__(self, agent: _Optional[str] = ..., all: _Optional[bool] = ..., limit: _Optional[int] = ...) -> None: ...

class ListDeadLetterGroupsResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[DeadLetterGroup]
    def __init__(self, items: _Optional[_Iterable[_Union[DeadLetterGroup, _Mapping]]] = ...) -> None: ...

class DeadLetterGroup(_message.Message):
    __slots__ = ("fingerprint", "agent", "title", "count", "first_at", "last_at", "newest", "step", "open", "first_version", "last_version")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_AT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    FIRST_VERSION_FIELD_NUMBER: _ClassVar[int]
    LAST_VERSION_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    agent: str
    title: str
    count: int
    first_at: _timestamp_pb2.Timestamp
    last_at: _timestamp_pb2.Timestamp
    newest: str
    step: str
    open: int
    first_version: int
    last_version: int
    def __init__(self, fingerprint: _Optional[str] = ..., agent: _Optional[str] = ..., title: _Optional[str] = ..., count: _Optional[int] = ..., first_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., newest: _Optional[str] = ..., step: _Optional[str] = ..., open: _Optional[int] = ..., first_version: _Optional[int] = ..., last_version: _Optional[int] = ...) -> None: ...

class ReplayDeadLettersRequest(_message.Message):
    __slots__ = ("agent", "runs", "fingerprint", "all", "begin", "version", "limit")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    runs: _containers.RepeatedScalarFieldContainer[str]
    fingerprint: str
    all: bool
    begin: _runs_pb2.Begin
    version: int
    limit: int
    def __init__(self, agent: _Optional[str] = ..., runs: _Optional[_Iterable[str]] = ..., fingerprint: _Optional[str] = ..., all: _Optional[bool] = ..., begin: _Optional[_Union[_runs_pb2.Begin, str]] = ..., version: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ReplayDeadLettersResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Replayed]
    def __init__(self, items: _Optional[_Iterable[_Union[Replayed, _Mapping]]] = ...) -> None: ...

class Replayed(_message.Message):
    __slots__ = ("run_id", "replay", "error", "warnings")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    replay: str
    error: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_id: _Optional[str] = ..., replay: _Optional[str] = ..., error: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class PurgeDeadLettersRequest(_message.Message):
    __slots__ = ("agent", "fingerprint", "older_than")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    OLDER_THAN_FIELD_NUMBER: _ClassVar[int]
    agent: str
    fingerprint: str
    older_than: float
    def __init__(self, agent: _Optional[str] = ..., fingerprint: _Optional[str] = ..., older_than: _Optional[float] = ...) -> None: ...

class PurgeDeadLettersResponse(_message.Message):
    __slots__ = ("purged",)
    PURGED_FIELD_NUMBER: _ClassVar[int]
    purged: int
    def __init__(self, purged: _Optional[int] = ...) -> None: ...
