import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AssistantAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ASSISTANT_ACTION_UNSPECIFIED: _ClassVar[AssistantAction]
    ASSISTANT_ACTION_CREATED: _ClassVar[AssistantAction]
    ASSISTANT_ACTION_UPDATED: _ClassVar[AssistantAction]
    ASSISTANT_ACTION_SET_LATEST: _ClassVar[AssistantAction]
    ASSISTANT_ACTION_ARCHIVED: _ClassVar[AssistantAction]
ASSISTANT_ACTION_UNSPECIFIED: AssistantAction
ASSISTANT_ACTION_CREATED: AssistantAction
ASSISTANT_ACTION_UPDATED: AssistantAction
ASSISTANT_ACTION_SET_LATEST: AssistantAction
ASSISTANT_ACTION_ARCHIVED: AssistantAction

class ListAssistantsRequest(_message.Message):
    __slots__ = ("agent", "archived", "limit", "cursor")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    agent: str
    archived: bool
    limit: int
    cursor: str
    def __init__(self, agent: _Optional[str] = ..., archived: _Optional[bool] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListAssistantsResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Assistant]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[Assistant, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class Assistant(_message.Message):
    __slots__ = ("name", "agent", "own", "version", "newest", "environment", "pinned", "description", "config_json", "created_at", "updated_at", "archived_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    agent: str
    own: bool
    version: int
    newest: int
    environment: str
    pinned: int
    description: str
    config_json: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., agent: _Optional[str] = ..., own: _Optional[bool] = ..., version: _Optional[int] = ..., newest: _Optional[int] = ..., environment: _Optional[str] = ..., pinned: _Optional[int] = ..., description: _Optional[str] = ..., config_json: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetAssistantRequest(_message.Message):
    __slots__ = ("assistant",)
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    def __init__(self, assistant: _Optional[str] = ...) -> None: ...

class ListAssistantVersionsRequest(_message.Message):
    __slots__ = ("assistant", "limit", "cursor")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    limit: int
    cursor: str
    def __init__(self, assistant: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListAssistantVersionsResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[AssistantVersion]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[AssistantVersion, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class AssistantVersion(_message.Message):
    __slots__ = ("assistant", "agent", "version", "config_json", "actor", "message", "created_at")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    agent: str
    version: int
    config_json: str
    actor: str
    message: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, assistant: _Optional[str] = ..., agent: _Optional[str] = ..., version: _Optional[int] = ..., config_json: _Optional[str] = ..., actor: _Optional[str] = ..., message: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetAssistantVersionRequest(_message.Message):
    __slots__ = ("assistant", "version")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    version: int
    def __init__(self, assistant: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class CreateAssistantRequest(_message.Message):
    __slots__ = ("name", "agent", "environment", "version", "description", "metadata_json", "input_schema_json", "overrides_json", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_JSON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    agent: str
    environment: str
    version: int
    description: str
    metadata_json: str
    input_schema_json: str
    overrides_json: str
    message: str
    def __init__(self, name: _Optional[str] = ..., agent: _Optional[str] = ..., environment: _Optional[str] = ..., version: _Optional[int] = ..., description: _Optional[str] = ..., metadata_json: _Optional[str] = ..., input_schema_json: _Optional[str] = ..., overrides_json: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class UpdateAssistantRequest(_message.Message):
    __slots__ = ("assistant", "environment", "version", "description", "metadata_json", "input_schema_json", "overrides_json", "clear", "message", "base")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_JSON_FIELD_NUMBER: _ClassVar[int]
    CLEAR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    environment: str
    version: int
    description: str
    metadata_json: str
    input_schema_json: str
    overrides_json: str
    clear: _containers.RepeatedScalarFieldContainer[str]
    message: str
    base: int
    def __init__(self, assistant: _Optional[str] = ..., environment: _Optional[str] = ..., version: _Optional[int] = ..., description: _Optional[str] = ..., metadata_json: _Optional[str] = ..., input_schema_json: _Optional[str] = ..., overrides_json: _Optional[str] = ..., clear: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ..., base: _Optional[int] = ...) -> None: ...

class SetLatestAssistantRequest(_message.Message):
    __slots__ = ("assistant", "version", "message")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    version: int
    message: str
    def __init__(self, assistant: _Optional[str] = ..., version: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class DeleteAssistantRequest(_message.Message):
    __slots__ = ("assistant", "message")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    message: str
    def __init__(self, assistant: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ListAssistantHistoryRequest(_message.Message):
    __slots__ = ("assistant", "limit", "cursor")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    limit: int
    cursor: str
    def __init__(self, assistant: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListAssistantHistoryResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[AssistantMove]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[AssistantMove, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class AssistantMove(_message.Message):
    __slots__ = ("seq", "action", "from_version", "to", "actor", "message", "at")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FROM_VERSION_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    seq: int
    action: AssistantAction
    from_version: int
    to: int
    actor: str
    message: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, seq: _Optional[int] = ..., action: _Optional[_Union[AssistantAction, str]] = ..., from_version: _Optional[int] = ..., to: _Optional[int] = ..., actor: _Optional[str] = ..., message: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetAssistantDiffRequest(_message.Message):
    __slots__ = ("assistant", "before", "after")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    before: int
    after: int
    def __init__(self, assistant: _Optional[str] = ..., before: _Optional[int] = ..., after: _Optional[int] = ...) -> None: ...

class AssistantDiff(_message.Message):
    __slots__ = ("assistant", "before", "after", "same", "changes")
    ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    assistant: str
    before: int
    after: int
    same: bool
    changes: _containers.RepeatedCompositeFieldContainer[Difference]
    def __init__(self, assistant: _Optional[str] = ..., before: _Optional[int] = ..., after: _Optional[int] = ..., same: _Optional[bool] = ..., changes: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("path", "before_json", "after_json", "diff")
    PATH_FIELD_NUMBER: _ClassVar[int]
    BEFORE_JSON_FIELD_NUMBER: _ClassVar[int]
    AFTER_JSON_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    path: str
    before_json: str
    after_json: str
    diff: str
    def __init__(self, path: _Optional[str] = ..., before_json: _Optional[str] = ..., after_json: _Optional[str] = ..., diff: _Optional[str] = ...) -> None: ...
