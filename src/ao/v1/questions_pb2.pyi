import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QuestionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUESTION_KIND_UNSPECIFIED: _ClassVar[QuestionKind]
    QUESTION_KIND_QUESTION: _ClassVar[QuestionKind]
    QUESTION_KIND_APPROVAL: _ClassVar[QuestionKind]

class QuestionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUESTION_STATE_UNSPECIFIED: _ClassVar[QuestionState]
    QUESTION_STATE_OPEN: _ClassVar[QuestionState]
    QUESTION_STATE_ANSWERED: _ClassVar[QuestionState]
    QUESTION_STATE_TIMED_OUT: _ClassVar[QuestionState]
QUESTION_KIND_UNSPECIFIED: QuestionKind
QUESTION_KIND_QUESTION: QuestionKind
QUESTION_KIND_APPROVAL: QuestionKind
QUESTION_STATE_UNSPECIFIED: QuestionState
QUESTION_STATE_OPEN: QuestionState
QUESTION_STATE_ANSWERED: QuestionState
QUESTION_STATE_TIMED_OUT: QuestionState

class ListQuestionsRequest(_message.Message):
    __slots__ = ("agent", "run", "all", "limit", "cursor")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    agent: str
    run: str
    all: bool
    limit: int
    cursor: str
    def __init__(self, agent: _Optional[str] = ..., run: _Optional[str] = ..., all: _Optional[bool] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListQuestionsResponse(_message.Message):
    __slots__ = ("items", "next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Question]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[Question, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("id", "run_id", "agent", "path", "kind", "state", "answerable", "text", "answer_schema_json", "details_json", "asked_at", "deadline_at", "ended_at", "actor", "comment", "answer_json")
    ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ANSWERABLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    DETAILS_JSON_FIELD_NUMBER: _ClassVar[int]
    ASKED_AT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_JSON_FIELD_NUMBER: _ClassVar[int]
    id: str
    run_id: str
    agent: str
    path: str
    kind: QuestionKind
    state: QuestionState
    answerable: bool
    text: str
    answer_schema_json: str
    details_json: str
    asked_at: _timestamp_pb2.Timestamp
    deadline_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    actor: str
    comment: str
    answer_json: str
    def __init__(self, id: _Optional[str] = ..., run_id: _Optional[str] = ..., agent: _Optional[str] = ..., path: _Optional[str] = ..., kind: _Optional[_Union[QuestionKind, str]] = ..., state: _Optional[_Union[QuestionState, str]] = ..., answerable: _Optional[bool] = ..., text: _Optional[str] = ..., answer_schema_json: _Optional[str] = ..., details_json: _Optional[str] = ..., asked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deadline_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ..., answer_json: _Optional[str] = ...) -> None: ...

class AnswerQuestionRequest(_message.Message):
    __slots__ = ("run_id", "question", "answer_json", "approved", "comment")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    ANSWER_JSON_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    question: str
    answer_json: str
    approved: bool
    comment: str
    def __init__(self, run_id: _Optional[str] = ..., question: _Optional[str] = ..., answer_json: _Optional[str] = ..., approved: _Optional[bool] = ..., comment: _Optional[str] = ...) -> None: ...
