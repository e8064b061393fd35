import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_PENDING: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_PAUSED: _ClassVar[RunState]
    RUN_STATE_COMPLETED: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_CANCELLED: _ClassVar[RunState]

class OnDisconnect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_DISCONNECT_UNSPECIFIED: _ClassVar[OnDisconnect]
    ON_DISCONNECT_CONTINUE: _ClassVar[OnDisconnect]
    ON_DISCONNECT_CANCEL: _ClassVar[OnDisconnect]

class OnOverlap(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_OVERLAP_UNSPECIFIED: _ClassVar[OnOverlap]
    ON_OVERLAP_ENQUEUE: _ClassVar[OnOverlap]
    ON_OVERLAP_REJECT: _ClassVar[OnOverlap]
    ON_OVERLAP_INTERRUPT: _ClassVar[OnOverlap]
    ON_OVERLAP_ROLLBACK: _ClassVar[OnOverlap]

class OutcomeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_KIND_UNSPECIFIED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_COMPLETED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_ERROR: _ClassVar[OutcomeKind]
    OUTCOME_KIND_EXIT: _ClassVar[OutcomeKind]
    OUTCOME_KIND_SIGNAL: _ClassVar[OutcomeKind]
    OUTCOME_KIND_OUT_OF_MEMORY: _ClassVar[OutcomeKind]
    OUTCOME_KIND_LIMIT: _ClassVar[OutcomeKind]
    OUTCOME_KIND_TIMEOUT: _ClassVar[OutcomeKind]
    OUTCOME_KIND_RUN_TIMEOUT: _ClassVar[OutcomeKind]
    OUTCOME_KIND_CANCELLED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_LOST: _ClassVar[OutcomeKind]
    OUTCOME_KIND_PAUSED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_SANDBOX: _ClassVar[OutcomeKind]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_STATE: _ClassVar[EventKind]
    EVENT_KIND_ATTEMPT_STARTED: _ClassVar[EventKind]
    EVENT_KIND_ATTEMPT_FINISHED: _ClassVar[EventKind]
    EVENT_KIND_LOG: _ClassVar[EventKind]
    EVENT_KIND_OUTPUT: _ClassVar[EventKind]
    EVENT_KIND_STEP_STARTED: _ClassVar[EventKind]
    EVENT_KIND_STEP_COMPLETED: _ClassVar[EventKind]
    EVENT_KIND_STEP_FAILED: _ClassVar[EventKind]
    EVENT_KIND_STEP_RETRIED: _ClassVar[EventKind]
    EVENT_KIND_QUESTION_ASKED: _ClassVar[EventKind]
    EVENT_KIND_QUESTION_ANSWERED: _ClassVar[EventKind]
    EVENT_KIND_QUESTION_TIMED_OUT: _ClassVar[EventKind]
    EVENT_KIND_TRUNCATED: _ClassVar[EventKind]
    EVENT_KIND_CANCEL_REQUESTED: _ClassVar[EventKind]

class StepKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_KIND_UNSPECIFIED: _ClassVar[StepKind]
    STEP_KIND_STEP: _ClassVar[StepKind]
    STEP_KIND_SPAN: _ClassVar[StepKind]
    STEP_KIND_ASK: _ClassVar[StepKind]
    STEP_KIND_SLEEP: _ClassVar[StepKind]

class StepState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_STATE_UNSPECIFIED: _ClassVar[StepState]
    STEP_STATE_STARTED: _ClassVar[StepState]
    STEP_STATE_WAITING: _ClassVar[StepState]
    STEP_STATE_COMPLETED: _ClassVar[StepState]
    STEP_STATE_FAILED: _ClassVar[StepState]

class LogStream(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_STREAM_UNSPECIFIED: _ClassVar[LogStream]
    LOG_STREAM_STDOUT: _ClassVar[LogStream]
    LOG_STREAM_STDERR: _ClassVar[LogStream]

class LogMark(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_MARK_UNSPECIFIED: _ClassVar[LogMark]
    LOG_MARK_PARTIAL: _ClassVar[LogMark]
    LOG_MARK_CUT: _ClassVar[LogMark]
    LOG_MARK_DROPPED: _ClassVar[LogMark]

class Begin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BEGIN_UNSPECIFIED: _ClassVar[Begin]
    BEGIN_CHECKPOINT: _ClassVar[Begin]
    BEGIN_START: _ClassVar[Begin]
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_PENDING: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_PAUSED: RunState
RUN_STATE_COMPLETED: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_CANCELLED: RunState
ON_DISCONNECT_UNSPECIFIED: OnDisconnect
ON_DISCONNECT_CONTINUE: OnDisconnect
ON_DISCONNECT_CANCEL: OnDisconnect
ON_OVERLAP_UNSPECIFIED: OnOverlap
ON_OVERLAP_ENQUEUE: OnOverlap
ON_OVERLAP_REJECT: OnOverlap
ON_OVERLAP_INTERRUPT: OnOverlap
ON_OVERLAP_ROLLBACK: OnOverlap
OUTCOME_KIND_UNSPECIFIED: OutcomeKind
OUTCOME_KIND_COMPLETED: OutcomeKind
OUTCOME_KIND_ERROR: OutcomeKind
OUTCOME_KIND_EXIT: OutcomeKind
OUTCOME_KIND_SIGNAL: OutcomeKind
OUTCOME_KIND_OUT_OF_MEMORY: OutcomeKind
OUTCOME_KIND_LIMIT: OutcomeKind
OUTCOME_KIND_TIMEOUT: OutcomeKind
OUTCOME_KIND_RUN_TIMEOUT: OutcomeKind
OUTCOME_KIND_CANCELLED: OutcomeKind
OUTCOME_KIND_LOST: OutcomeKind
OUTCOME_KIND_PAUSED: OutcomeKind
OUTCOME_KIND_SANDBOX: OutcomeKind
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_STATE: EventKind
EVENT_KIND_ATTEMPT_STARTED: EventKind
EVENT_KIND_ATTEMPT_FINISHED: EventKind
EVENT_KIND_LOG: EventKind
EVENT_KIND_OUTPUT: EventKind
EVENT_KIND_STEP_STARTED: EventKind
EVENT_KIND_STEP_COMPLETED: EventKind
EVENT_KIND_STEP_FAILED: EventKind
EVENT_KIND_STEP_RETRIED: EventKind
EVENT_KIND_QUESTION_ASKED: EventKind
EVENT_KIND_QUESTION_ANSWERED: EventKind
EVENT_KIND_QUESTION_TIMED_OUT: EventKind
EVENT_KIND_TRUNCATED: EventKind
EVENT_KIND_CANCEL_REQUESTED: EventKind
STEP_KIND_UNSPECIFIED: StepKind
STEP_KIND_STEP: StepKind
STEP_KIND_SPAN: StepKind
STEP_KIND_ASK: StepKind
STEP_KIND_SLEEP: StepKind
STEP_STATE_UNSPECIFIED: StepState
STEP_STATE_STARTED: StepState
STEP_STATE_WAITING: StepState
STEP_STATE_COMPLETED: StepState
STEP_STATE_FAILED: StepState
LOG_STREAM_UNSPECIFIED: LogStream
LOG_STREAM_STDOUT: LogStream
LOG_STREAM_STDERR: LogStream
LOG_MARK_UNSPECIFIED: LogMark
LOG_MARK_PARTIAL: LogMark
LOG_MARK_CUT: LogMark
LOG_MARK_DROPPED: LogMark
BEGIN_UNSPECIFIED: Begin
BEGIN_CHECKPOINT: Begin
BEGIN_START: Begin

class WebhookTarget(_message.Message):
    __slots__ = ("url", "secret")
    URL_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    url: str
    secret: str
    def __init__(self, url: _Optional[str] = ..., secret: _Optional[str] = ...) -> None: ...

class CreateRunRequest(_message.Message):
    __slots__ = ("agent", "input_json", "version", "environment", "priority", "webhook", "idempotency_key", "concurrency_key", "assistant", "assistant_version", "wait", "session", "on_overlap")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ON_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    agent: str
    input_json: str
    version: int
    environment: str
    priority: int
    webhook: WebhookTarget
    idempotency_key: str
    concurrency_key: str
    assistant: str
    assistant_version: int
    wait: float
    session: str
    on_overlap: OnOverlap
    def __init__(self, agent: _Optional[str] = ..., input_json: _Optional[str] = ..., version: _Optional[int] = ..., environment: _Optional[str] = ..., priority: _Optional[int] = ..., webhook: _Optional[_Union[WebhookTarget, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., concurrency_key: _Optional[str] = ..., assistant: _Optional[str] = ..., assistant_version: _Optional[int] = ..., wait: _Optional[float] = ..., session: _Optional[str] = ..., on_overlap: _Optional[_Union[OnOverlap, str]] = ...) -> None: ...

class CreateRunResponse(_message.Message):
    __slots__ = ("run", "created")
    RUN_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    run: Run
    created: bool
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ..., created: _Optional[bool] = ...) -> None: ...

class RunAndWaitRequest(_message.Message):
    __slots__ = ("agent", "input_json", "version", "environment", "priority", "webhook", "idempotency_key", "assistant", "assistant_version", "concurrency_key", "on_disconnect", "session", "on_overlap")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ON_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    agent: str
    input_json: str
    version: int
    environment: str
    priority: int
    webhook: WebhookTarget
    idempotency_key: str
    assistant: str
    assistant_version: int
    concurrency_key: str
    on_disconnect: OnDisconnect
    session: str
    on_overlap: OnOverlap
    def __init__(self, agent: _Optional[str] = ..., input_json: _Optional[str] = ..., version: _Optional[int] = ..., environment: _Optional[str] = ..., priority: _Optional[int] = ..., webhook: _Optional[_Union[WebhookTarget, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., assistant: _Optional[str] = ..., assistant_version: _Optional[int] = ..., concurrency_key: _Optional[str] = ..., on_disconnect: _Optional[_Union[OnDisconnect, str]] = ..., session: _Optional[str] = ..., on_overlap: _Optional[_Union[OnOverlap, str]] = ...) -> None: ...

class StreamRunRequest(_message.Message):
    __slots__ = ("agent", "input_json", "version", "environment", "priority", "webhook", "idempotency_key", "assistant", "assistant_version", "concurrency_key", "on_disconnect", "after", "session", "on_overlap")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ON_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    agent: str
    input_json: str
    version: int
    environment: str
    priority: int
    webhook: WebhookTarget
    idempotency_key: str
    assistant: str
    assistant_version: int
    concurrency_key: str
    on_disconnect: OnDisconnect
    after: int
    session: str
    on_overlap: OnOverlap
    def __init__(self, agent: _Optional[str] = ..., input_json: _Optional[str] = ..., version: _Optional[int] = ..., environment: _Optional[str] = ..., priority: _Optional[int] = ..., webhook: _Optional[_Union[WebhookTarget, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., assistant: _Optional[str] = ..., assistant_version: _Optional[int] = ..., concurrency_key: _Optional[str] = ..., on_disconnect: _Optional[_Union[OnDisconnect, str]] = ..., after: _Optional[int] = ..., session: _Optional[str] = ..., on_overlap: _Optional[_Union[OnOverlap, str]] = ...) -> None: ...

class WatchRunRequest(_message.Message):
    __slots__ = ("run_id", "after", "on_disconnect")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    after: int
    on_disconnect: OnDisconnect
    def __init__(self, run_id: _Optional[str] = ..., after: _Optional[int] = ..., on_disconnect: _Optional[_Union[OnDisconnect, str]] = ...) -> None: ...

class RunUpdate(_message.Message):
    __slots__ = ("event", "end")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    event: Event
    end: RunEnd
    def __init__(self, event: _Optional[_Union[Event, _Mapping]] = ..., end: _Optional[_Union[RunEnd, _Mapping]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("seq", "kind", "at", "data_json")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    seq: int
    kind: EventKind
    at: _timestamp_pb2.Timestamp
    data_json: str
    def __init__(self, seq: _Optional[int] = ..., kind: _Optional[_Union[EventKind, str]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data_json: _Optional[str] = ...) -> None: ...

class RunEnd(_message.Message):
    __slots__ = ("run_id", "state")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    state: RunState
    def __init__(self, run_id: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("id", "agent", "environment", "state", "version", "digest", "pinned", "input_json", "output_json", "error", "attempt", "failures", "priority", "actor", "schedule_id", "created_at", "started_at", "finished_at", "due_at", "cancel_requested", "why_pending", "lineage", "fork_of", "fork_step", "last_seq", "tick", "assistant", "assistant_version", "artifact_digest", "concurrency_key", "session")
    ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    WHY_PENDING_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    FORK_OF_FIELD_NUMBER: _ClassVar[int]
    FORK_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    id: str
    agent: str
    environment: str
    state: RunState
    version: int
    digest: str
    pinned: bool
    input_json: str
    output_json: str
    error: RunError
    attempt: int
    failures: int
    priority: int
    actor: str
    schedule_id: str
    created_at: _timestamp_pb2.Timestamp
    started_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    due_at: _timestamp_pb2.Timestamp
    cancel_requested: bool
    why_pending: str
    lineage: str
    fork_of: str
    fork_step: str
    last_seq: int
    tick: _timestamp_pb2.Timestamp
    assistant: str
    assistant_version: int
    artifact_digest: str
    concurrency_key: str
    session: str
    def __init__(self, id: _Optional[str] = ..., agent: _Optional[str] = ..., environment: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., version: _Optional[int] = ..., digest: _Optional[str] = ..., pinned: _Optional[bool] = ..., input_json: _Optional[str] = ..., output_json: _Optional[str] = ..., error: _Optional[_Union[RunError, _Mapping]] = ..., attempt: _Optional[int] = ..., failures: _Optional[int] = ..., priority: _Optional[int] = ..., actor: _Optional[str] = ..., schedule_id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cancel_requested: _Optional[bool] = ..., why_pending: _Optional[str] = ..., lineage: _Optional[str] = ..., fork_of: _Optional[str] = ..., fork_step: _Optional[str] = ..., last_seq: _Optional[int] = ..., tick: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., assistant: _Optional[str] = ..., assistant_version: _Optional[int] = ..., artifact_digest: _Optional[str] = ..., concurrency_key: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class RunError(_message.Message):
    __slots__ = ("kind", "message", "type", "traceback", "hint", "exit_code", "signal", "step")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    kind: OutcomeKind
    message: str
    type: str
    traceback: str
    hint: str
    exit_code: int
    signal: str
    step: str
    def __init__(self, kind: _Optional[_Union[OutcomeKind, str]] = ..., message: _Optional[str] = ..., type: _Optional[str] = ..., traceback: _Optional[str] = ..., hint: _Optional[str] = ..., exit_code: _Optional[int] = ..., signal: _Optional[str] = ..., step: _Optional[str] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run_id", "wait")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    wait: float
    def __init__(self, run_id: _Optional[str] = ..., wait: _Optional[float] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ("agent", "state", "version", "limit", "cursor", "assistant", "session")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    state: _containers.RepeatedScalarFieldContainer[RunState]
    version: int
    limit: int
    cursor: str
    assistant: str
    session: str
    def __init__(self, agent: _Optional[str] = ..., state: _Optional[_Iterable[_Union[RunState, str]]] = ..., version: _Optional[int] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ..., assistant: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[RunSummary]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[RunSummary, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class RunSummary(_message.Message):
    __slots__ = ("id", "agent", "environment", "state", "version", "attempt", "error", "actor", "created_at", "started_at", "finished_at", "due_at", "assistant", "session")
    ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    id: str
    agent: str
    environment: str
    state: RunState
    version: int
    attempt: int
    error: str
    actor: str
    created_at: _timestamp_pb2.Timestamp
    started_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    due_at: _timestamp_pb2.Timestamp
    assistant: str
    session: str
    def __init__(self, id: _Optional[str] = ..., agent: _Optional[str] = ..., environment: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., version: _Optional[int] = ..., attempt: _Optional[int] = ..., error: _Optional[str] = ..., actor: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., assistant: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class CancelRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("run_id", "after", "limit")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    after: int
    limit: int
    def __init__(self, run_id: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("items", "complete")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Event]
    complete: bool
    def __init__(self, items: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., complete: _Optional[bool] = ...) -> None: ...

class ListAttemptsRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class ListAttemptsResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Attempt]
    def __init__(self, items: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("number", "sandbox", "started_at", "finished_at", "kind", "error", "exit_code", "max_rss_bytes", "cpu_seconds")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    MAX_RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    number: int
    sandbox: str
    started_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    kind: OutcomeKind
    error: RunError
    exit_code: int
    max_rss_bytes: int
    cpu_seconds: float
    def __init__(self, number: _Optional[int] = ..., sandbox: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[OutcomeKind, str]] = ..., error: _Optional[_Union[RunError, _Mapping]] = ..., exit_code: _Optional[int] = ..., max_rss_bytes: _Optional[int] = ..., cpu_seconds: _Optional[float] = ...) -> None: ...

class ListStepsRequest(_message.Message):
    __slots__ = ("run_id", "limit", "offset", "outputs")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    limit: int
    offset: int
    outputs: bool
    def __init__(self, run_id: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., outputs: _Optional[bool] = ...) -> None: ...

class ListStepsResponse(_message.Message):
    __slots__ = ("items", "complete")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Step]
    complete: bool
    def __init__(self, items: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., complete: _Optional[bool] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("path", "parent", "name", "key", "kind", "state", "attempt", "started_at", "finished_at", "error", "output_json")
    PATH_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    path: str
    parent: str
    name: str
    key: str
    kind: StepKind
    state: StepState
    attempt: int
    started_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    error: RunError
    output_json: str
    def __init__(self, path: _Optional[str] = ..., parent: _Optional[str] = ..., name: _Optional[str] = ..., key: _Optional[str] = ..., kind: _Optional[_Union[StepKind, str]] = ..., state: _Optional[_Union[StepState, str]] = ..., attempt: _Optional[int] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., error: _Optional[_Union[RunError, _Mapping]] = ..., output_json: _Optional[str] = ...) -> None: ...

class GetLogsRequest(_message.Message):
    __slots__ = ("run_id", "after", "before", "tail")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    after: int
    before: int
    tail: int
    def __init__(self, run_id: _Optional[str] = ..., after: _Optional[int] = ..., before: _Optional[int] = ..., tail: _Optional[int] = ...) -> None: ...

class LogLines(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[LogLine]
    def __init__(self, items: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("seq", "index", "at", "attempt", "stream", "text", "mark")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    seq: int
    index: int
    at: _timestamp_pb2.Timestamp
    attempt: int
    stream: LogStream
    text: str
    mark: LogMark
    def __init__(self, seq: _Optional[int] = ..., index: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt: _Optional[int] = ..., stream: _Optional[_Union[LogStream, str]] = ..., text: _Optional[str] = ..., mark: _Optional[_Union[LogMark, str]] = ...) -> None: ...

class SearchLogsRequest(_message.Message):
    __slots__ = ("run_id", "q", "regex", "case", "stream", "since", "until", "after", "limit")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    Q_FIELD_NUMBER: _ClassVar[int]
    REGEX_FIELD_NUMBER: _ClassVar[int]
    CASE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    q: str
    regex: bool
    case: bool
    stream: LogStream
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    after: int
    limit: int
    def __init__(self, run_id: _Optional[str] = ..., q: _Optional[str] = ..., regex: _Optional[bool] = ..., case: _Optional[bool] = ..., stream: _Optional[_Union[LogStream, str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class LogMatches(_message.Message):
    __slots__ = ("items", "last_seq", "complete")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[LogMatch]
    last_seq: int
    complete: bool
    def __init__(self, items: _Optional[_Iterable[_Union[LogMatch, _Mapping]]] = ..., last_seq: _Optional[int] = ..., complete: _Optional[bool] = ...) -> None: ...

class LogMatch(_message.Message):
    __slots__ = ("seq", "index", "at", "attempt", "stream", "text", "mark", "spans")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    index: int
    at: _timestamp_pb2.Timestamp
    attempt: int
    stream: LogStream
    text: str
    mark: LogMark
    spans: _containers.RepeatedCompositeFieldContainer[Span]
    def __init__(self, seq: _Optional[int] = ..., index: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt: _Optional[int] = ..., stream: _Optional[_Union[LogStream, str]] = ..., text: _Optional[str] = ..., mark: _Optional[_Union[LogMark, str]] = ..., spans: _Optional[_Iterable[_Union[Span, _Mapping]]] = ...) -> None: ...

class Span(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class ForkRunRequest(_message.Message):
    __slots__ = ("run_id", "step", "version")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    step: str
    version: int
    def __init__(self, run_id: _Optional[str] = ..., step: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class RemadeRun(_message.Message):
    __slots__ = ("run", "warnings")
    RUN_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    run: Run
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class ReplayRunRequest(_message.Message):
    __slots__ = ("run_id", "begin", "version")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    begin: Begin
    version: int
    def __init__(self, run_id: _Optional[str] = ..., begin: _Optional[_Union[Begin, str]] = ..., version: _Optional[int] = ...) -> None: ...
