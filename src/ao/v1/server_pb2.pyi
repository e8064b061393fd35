import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Status(_message.Message):
    __slots__ = ("version", "home", "database", "started_at", "sandbox", "degraded", "runs", "workers", "checks")
    class RunsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HOME_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    version: str
    home: str
    database: str
    started_at: _timestamp_pb2.Timestamp
    sandbox: str
    degraded: _containers.RepeatedScalarFieldContainer[str]
    runs: _containers.ScalarMap[str, int]
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    checks: _containers.RepeatedCompositeFieldContainer[Check]
    def __init__(self, version: _Optional[str] = ..., home: _Optional[str] = ..., database: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sandbox: _Optional[str] = ..., degraded: _Optional[_Iterable[str]] = ..., runs: _Optional[_Mapping[str, int]] = ..., workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ..., checks: _Optional[_Iterable[_Union[Check, _Mapping]]] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ("id", "name", "slots", "running", "sandbox", "heartbeat_at", "alive", "started_at", "draining", "version", "labels", "capacity", "used", "hold")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_AT_FIELD_NUMBER: _ClassVar[int]
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    slots: int
    running: int
    sandbox: str
    heartbeat_at: _timestamp_pb2.Timestamp
    alive: bool
    started_at: _timestamp_pb2.Timestamp
    draining: bool
    version: str
    labels: _containers.ScalarMap[str, str]
    capacity: Amounts
    used: Amounts
    hold: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., slots: _Optional[int] = ..., running: _Optional[int] = ..., sandbox: _Optional[str] = ..., heartbeat_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., alive: _Optional[bool] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., draining: _Optional[bool] = ..., version: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., capacity: _Optional[_Union[Amounts, _Mapping]] = ..., used: _Optional[_Union[Amounts, _Mapping]] = ..., hold: _Optional[str] = ...) -> None: ...

class Amounts(_message.Message):
    __slots__ = ("memory", "cpu", "gpu")
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    memory: int
    cpu: float
    gpu: int
    def __init__(self, memory: _Optional[int] = ..., cpu: _Optional[float] = ..., gpu: _Optional[int] = ...) -> None: ...

class Check(_message.Message):
    __slots__ = ("name", "status", "message", "hint")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    name: str
    status: str
    message: str
    hint: str
    def __init__(self, name: _Optional[str] = ..., status: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ...) -> None: ...

class GetSizesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Sizes(_message.Message):
    __slots__ = ("database_bytes", "reusable_bytes", "tables", "history_bytes", "blobs", "blob_bytes", "disk_free_bytes", "first_run_at", "history_since", "history_kept_days", "audit_kept_days", "warning", "hint")
    DATABASE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REUSABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    HISTORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    BLOB_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FIRST_RUN_AT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_SINCE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_KEPT_DAYS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_KEPT_DAYS_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    database_bytes: int
    reusable_bytes: int
    tables: _containers.RepeatedCompositeFieldContainer[TableSize]
    history_bytes: int
    blobs: int
    blob_bytes: int
    disk_free_bytes: int
    first_run_at: _timestamp_pb2.Timestamp
    history_since: _timestamp_pb2.Timestamp
    history_kept_days: float
    audit_kept_days: float
    warning: str
    hint: str
    def __init__(self, database_bytes: _Optional[int] = ..., reusable_bytes: _Optional[int] = ..., tables: _Optional[_Iterable[_Union[TableSize, _Mapping]]] = ..., history_bytes: _Optional[int] = ..., blobs: _Optional[int] = ..., blob_bytes: _Optional[int] = ..., disk_free_bytes: _Optional[int] = ..., first_run_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., history_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., history_kept_days: _Optional[float] = ..., audit_kept_days: _Optional[float] = ..., warning: _Optional[str] = ..., hint: _Optional[str] = ...) -> None: ...

class TableSize(_message.Message):
    __slots__ = ("name", "rows", "bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    rows: int
    bytes: int
    def __init__(self, name: _Optional[str] = ..., rows: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class CollectGarbageRequest(_message.Message):
    __slots__ = ("dry_run",)
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    def __init__(self, dry_run: _Optional[bool] = ...) -> None: ...

class CollectGarbageResponse(_message.Message):
    __slots__ = ("dry_run", "environments", "releases", "blobs", "freed_bytes")
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    FREED_BYTES_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    environments: int
    releases: int
    blobs: int
    freed_bytes: int
    def __init__(self, dry_run: _Optional[bool] = ..., environments: _Optional[int] = ..., releases: _Optional[int] = ..., blobs: _Optional[int] = ..., freed_bytes: _Optional[int] = ...) -> None: ...
