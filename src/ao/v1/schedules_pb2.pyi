import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScheduleOverlap(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEDULE_OVERLAP_UNSPECIFIED: _ClassVar[ScheduleOverlap]
    SCHEDULE_OVERLAP_SKIP: _ClassVar[ScheduleOverlap]
    SCHEDULE_OVERLAP_QUEUE: _ClassVar[ScheduleOverlap]
    SCHEDULE_OVERLAP_CANCEL_PREVIOUS: _ClassVar[ScheduleOverlap]
    SCHEDULE_OVERLAP_ALLOW: _ClassVar[ScheduleOverlap]

class MissedTicks(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MISSED_TICKS_UNSPECIFIED: _ClassVar[MissedTicks]
    MISSED_TICKS_SKIP: _ClassVar[MissedTicks]
    MISSED_TICKS_LATEST: _ClassVar[MissedTicks]
    MISSED_TICKS_ALL: _ClassVar[MissedTicks]

class TickOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TICK_OUTCOME_UNSPECIFIED: _ClassVar[TickOutcome]
    TICK_OUTCOME_FIRED: _ClassVar[TickOutcome]
    TICK_OUTCOME_SKIPPED: _ClassVar[TickOutcome]
    TICK_OUTCOME_MISSED: _ClassVar[TickOutcome]
    TICK_OUTCOME_BACKFILLED: _ClassVar[TickOutcome]
    TICK_OUTCOME_TRIGGERED: _ClassVar[TickOutcome]
SCHEDULE_OVERLAP_UNSPECIFIED: ScheduleOverlap
SCHEDULE_OVERLAP_SKIP: ScheduleOverlap
SCHEDULE_OVERLAP_QUEUE: ScheduleOverlap
SCHEDULE_OVERLAP_CANCEL_PREVIOUS: ScheduleOverlap
SCHEDULE_OVERLAP_ALLOW: ScheduleOverlap
MISSED_TICKS_UNSPECIFIED: MissedTicks
MISSED_TICKS_SKIP: MissedTicks
MISSED_TICKS_LATEST: MissedTicks
MISSED_TICKS_ALL: MissedTicks
TICK_OUTCOME_UNSPECIFIED: TickOutcome
TICK_OUTCOME_FIRED: TickOutcome
TICK_OUTCOME_SKIPPED: TickOutcome
TICK_OUTCOME_MISSED: TickOutcome
TICK_OUTCOME_BACKFILLED: TickOutcome
TICK_OUTCOME_TRIGGERED: TickOutcome

class ListSchedulesRequest(_message.Message):
    __slots__ = ("agent",)
    AGENT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    def __init__(self, agent: _Optional[str] = ...) -> None: ...

class ListSchedulesResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Schedule]
    def __init__(self, items: _Optional[_Iterable[_Union[Schedule, _Mapping]]] = ...) -> None: ...

class Schedule(_message.Message):
    __slots__ = ("id", "agent", "name", "environment", "declared", "cron", "timezone", "overlap", "missed", "catch_up_seconds", "start_at", "end_at", "priority", "next_at", "paused", "pause", "last_tick_at", "last_run_id", "last", "problem", "actor", "created_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    START_AT_FIELD_NUMBER: _ClassVar[int]
    END_AT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    LAST_TICK_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    agent: str
    name: str
    environment: str
    declared: bool
    cron: str
    timezone: str
    overlap: ScheduleOverlap
    missed: MissedTicks
    catch_up_seconds: float
    start_at: _timestamp_pb2.Timestamp
    end_at: _timestamp_pb2.Timestamp
    priority: int
    next_at: _timestamp_pb2.Timestamp
    paused: bool
    pause: Pause
    last_tick_at: _timestamp_pb2.Timestamp
    last_run_id: str
    last: Tick
    problem: str
    actor: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., agent: _Optional[str] = ..., name: _Optional[str] = ..., environment: _Optional[str] = ..., declared: _Optional[bool] = ..., cron: _Optional[str] = ..., timezone: _Optional[str] = ..., overlap: _Optional[_Union[ScheduleOverlap, str]] = ..., missed: _Optional[_Union[MissedTicks, str]] = ..., catch_up_seconds: _Optional[float] = ..., start_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., priority: _Optional[int] = ..., next_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., paused: _Optional[bool] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ..., last_tick_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_run_id: _Optional[str] = ..., last: _Optional[_Union[Tick, _Mapping]] = ..., problem: _Optional[str] = ..., actor: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ScheduleDetail(_message.Message):
    __slots__ = ("id", "agent", "name", "environment", "declared", "cron", "timezone", "overlap", "missed", "catch_up_seconds", "start_at", "end_at", "priority", "next_at", "paused", "pause", "last_tick_at", "last_run_id", "last", "problem", "actor", "created_at", "input_json")
    ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    START_AT_FIELD_NUMBER: _ClassVar[int]
    END_AT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    LAST_TICK_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    id: str
    agent: str
    name: str
    environment: str
    declared: bool
    cron: str
    timezone: str
    overlap: ScheduleOverlap
    missed: MissedTicks
    catch_up_seconds: float
    start_at: _timestamp_pb2.Timestamp
    end_at: _timestamp_pb2.Timestamp
    priority: int
    next_at: _timestamp_pb2.Timestamp
    paused: bool
    pause: Pause
    last_tick_at: _timestamp_pb2.Timestamp
    last_run_id: str
    last: Tick
    problem: str
    actor: str
    created_at: _timestamp_pb2.Timestamp
    input_json: str
    def __init__(self, id: _Optional[str] = ..., agent: _Optional[str] = ..., name: _Optional[str] = ..., environment: _Optional[str] = ..., declared: _Optional[bool] = ..., cron: _Optional[str] = ..., timezone: _Optional[str] = ..., overlap: _Optional[_Union[ScheduleOverlap, str]] = ..., missed: _Optional[_Union[MissedTicks, str]] = ..., catch_up_seconds: _Optional[float] = ..., start_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., priority: _Optional[int] = ..., next_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., paused: _Optional[bool] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ..., last_tick_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_run_id: _Optional[str] = ..., last: _Optional[_Union[Tick, _Mapping]] = ..., problem: _Optional[str] = ..., actor: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., input_json: _Optional[str] = ...) -> None: ...

class Pause(_message.Message):
    __slots__ = ("reason", "actor", "at")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    actor: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[str] = ..., actor: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Tick(_message.Message):
    __slots__ = ("tick", "outcome", "run_id", "blocked_by", "reason", "at")
    TICK_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    tick: _timestamp_pb2.Timestamp
    outcome: TickOutcome
    run_id: str
    blocked_by: str
    reason: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, tick: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[_Union[TickOutcome, str]] = ..., run_id: _Optional[str] = ..., blocked_by: _Optional[str] = ..., reason: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateScheduleRequest(_message.Message):
    __slots__ = ("agent", "name", "environment", "cron", "timezone", "input_json", "overlap", "missed", "catch_up_seconds", "start_at", "end_at", "priority", "paused")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    START_AT_FIELD_NUMBER: _ClassVar[int]
    END_AT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    environment: str
    cron: str
    timezone: str
    input_json: str
    overlap: ScheduleOverlap
    missed: MissedTicks
    catch_up_seconds: float
    start_at: _timestamp_pb2.Timestamp
    end_at: _timestamp_pb2.Timestamp
    priority: int
    paused: bool
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ..., environment: _Optional[str] = ..., cron: _Optional[str] = ..., timezone: _Optional[str] = ..., input_json: _Optional[str] = ..., overlap: _Optional[_Union[ScheduleOverlap, str]] = ..., missed: _Optional[_Union[MissedTicks, str]] = ..., catch_up_seconds: _Optional[float] = ..., start_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., priority: _Optional[int] = ..., paused: _Optional[bool] = ...) -> None: ...

class GetScheduleRequest(_message.Message):
    __slots__ = ("agent", "name")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class UpdateScheduleRequest(_message.Message):
    __slots__ = ("agent", "name", "cron", "timezone", "input_json", "overlap", "missed", "catch_up_seconds", "start_at", "end_at", "priority", "clear")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    START_AT_FIELD_NUMBER: _ClassVar[int]
    END_AT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    CLEAR_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    cron: str
    timezone: str
    input_json: str
    overlap: ScheduleOverlap
    missed: MissedTicks
    catch_up_seconds: float
    start_at: _timestamp_pb2.Timestamp
    end_at: _timestamp_pb2.Timestamp
    priority: int
    clear: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ..., cron: _Optional[str] = ..., timezone: _Optional[str] = ..., input_json: _Optional[str] = ..., overlap: _Optional[_Union[ScheduleOverlap, str]] = ..., missed: _Optional[_Union[MissedTicks, str]] = ..., catch_up_seconds: _Optional[float] = ..., start_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., priority: _Optional[int] = ..., clear: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteScheduleRequest(_message.Message):
    __slots__ = ("agent", "name")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DeleteScheduleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PauseScheduleRequest(_message.Message):
    __slots__ = ("agent", "name", "reason")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    reason: str
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ResumeScheduleRequest(_message.Message):
    __slots__ = ("agent", "name")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class TriggerScheduleRequest(_message.Message):
    __slots__ = ("agent", "name", "overlap")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    overlap: ScheduleOverlap
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ..., overlap: _Optional[_Union[ScheduleOverlap, str]] = ...) -> None: ...

class TriggerScheduleResponse(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class BackfillScheduleRequest(_message.Message):
    __slots__ = ("agent", "name", "since", "until", "limit", "force", "dry_run")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    limit: int
    force: bool
    dry_run: bool
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limit: _Optional[int] = ..., force: _Optional[bool] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class BackfillScheduleResponse(_message.Message):
    __slots__ = ("dry_run", "total", "runs", "ticks", "refused")
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    TICKS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    total: int
    runs: int
    ticks: _containers.RepeatedCompositeFieldContainer[BackfilledTick]
    refused: int
    def __init__(self, dry_run: _Optional[bool] = ..., total: _Optional[int] = ..., runs: _Optional[int] = ..., ticks: _Optional[_Iterable[_Union[BackfilledTick, _Mapping]]] = ..., refused: _Optional[int] = ...) -> None: ...

class BackfilledTick(_message.Message):
    __slots__ = ("tick", "run_id", "already", "error")
    TICK_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ALREADY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    tick: _timestamp_pb2.Timestamp
    run_id: str
    already: str
    error: str
    def __init__(self, tick: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_id: _Optional[str] = ..., already: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class ListScheduleTicksRequest(_message.Message):
    __slots__ = ("agent", "name", "outcome", "limit", "cursor")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    outcome: TickOutcome
    limit: int
    cursor: str
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ..., outcome: _Optional[_Union[TickOutcome, str]] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListScheduleTicksResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Tick]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[Tick, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class ListNextTicksRequest(_message.Message):
    __slots__ = ("agent", "name", "count")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    name: str
    count: int
    def __init__(self, agent: _Optional[str] = ..., name: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class ListNextTicksResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[UpcomingTick]
    def __init__(self, items: _Optional[_Iterable[_Union[UpcomingTick, _Mapping]]] = ...) -> None: ...

class UpcomingTick(_message.Message):
    __slots__ = ("at", "local")
    AT_FIELD_NUMBER: _ClassVar[int]
    LOCAL_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    local: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., local: _Optional[str] = ...) -> None: ...
