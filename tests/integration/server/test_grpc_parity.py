"""The .proto files say what REST says: the same fields, the same words."""

from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel
from tests.rpc import METHODS, rpc_served

from ao.server.grpc.listen import services_of
from ao.server.grpc.messages import source_of, words_of
from ao.server.health import Readiness
from ao.server.roles import RULES
from ao.v1 import (
    access_pb2,
    agents_pb2,
    assistants_pb2,
    dead_letters_pb2,
    questions_pb2,
    runs_pb2,
    schedules_pb2,
    secrets_pb2,
    server_pb2,
    sessions_pb2,
    webhooks_pb2,
    workers_pb2,
)
from ao.wire import access, assistants, fleet, replays, schedules, schemas, sessions, sizes, steps, webhooks

VIEWS: list[tuple[Any, type[BaseModel]]] = [
    (runs_pb2.Run, schemas.RunView),
    (runs_pb2.RunSummary, schemas.RunSummary),
    (runs_pb2.Event, schemas.EventView),
    (runs_pb2.Attempt, schemas.AttemptView),
    (runs_pb2.Step, steps.StepView),
    (runs_pb2.LogLine, schemas.LogLine),
    (runs_pb2.LogMatches, schemas.LogMatches),
    (questions_pb2.Question, steps.QuestionView),
    (dead_letters_pb2.DeadLetter, replays.DeadLetterView),
    (dead_letters_pb2.DeadLetterGroup, replays.DeadLetterGroupView),
    (dead_letters_pb2.Replayed, replays.ReplayedView),
    (dead_letters_pb2.PurgeDeadLettersResponse, replays.PurgedView),
    (agents_pb2.Agent, schemas.AgentView),
    (agents_pb2.RollbackAgentResponse, schemas.RollbackView),
    (agents_pb2.Deployment, schemas.DeploymentView),
    (agents_pb2.BuildLogLine, schemas.BuildLogLine),
    (agents_pb2.Diff, schemas.DiffView),
    (schedules_pb2.Schedule, schedules.ScheduleView),
    (schedules_pb2.ScheduleDetail, schedules.ScheduleDetail),
    (schedules_pb2.Tick, schedules.TickView),
    (schedules_pb2.TriggerScheduleResponse, schedules.TriggeredView),
    (schedules_pb2.BackfillScheduleResponse, schedules.BackfillView),
    (schedules_pb2.UpcomingTick, schedules.UpcomingTick),
    (assistants_pb2.Assistant, assistants.AssistantView),
    (assistants_pb2.AssistantMove, assistants.AssistantMoveView),
    (assistants_pb2.AssistantDiff, assistants.AssistantDiffView),
    (assistants_pb2.AssistantVersion, assistants.AssistantVersionView),
    (sessions_pb2.Session, sessions.SessionView),
    (sessions_pb2.SessionSummary, sessions.SessionSummary),
    (sessions_pb2.SessionVersionSummary, sessions.SessionVersionSummary),
    (sessions_pb2.SessionVersion, sessions.SessionVersionView),
    (sessions_pb2.Message, sessions.MessageView),
    (sessions_pb2.DeleteSessionResponse, sessions.SessionDeleted),
    (sessions_pb2.GetWorkspaceResponse, sessions.WorkspaceView),
    (webhooks_pb2.Delivery, webhooks.DeliveryView),
    (webhooks_pb2.DeliveryDetail, webhooks.DeliveryDetail),
    (server_pb2.Status, schemas.StatusView),
    (workers_pb2.ListWorkersResponse, fleet.FleetView),
    (server_pb2.Sizes, sizes.SizesView),
    (server_pb2.CollectGarbageResponse, schemas.GcView),
    (secrets_pb2.Secret, schemas.SecretView),
    (access_pb2.CreateKeyResponse, access.KeyCreated),
    (access_pb2.AuditEntry, access.AuditView),
]

OF_HTTP = {
    "create_login_link": "leads a browser into the dashboard, which is HTTP",
    "get_openapi": "describes REST; what describes gRPC is its reflection",
}
"""Operations that have no method, and why."""


def inside(annotation: Any) -> list[Any]:
    """The types in an annotation, without None and containers."""
    if get_origin(annotation) is Literal:
        return [annotation]
    arguments = get_args(annotation)
    if not arguments:
        return [annotation]
    return [found for each in arguments if each is not NoneType for found in inside(each)]


def same(message: Descriptor, model: type[BaseModel]) -> None:
    """Fails where the fields of a message are not those of a model, or the words of its enums are not."""
    fields = {source_of(field): field for field in message.fields}
    assert set(fields) == set(model.model_fields), f"{message.full_name} and {model.__name__}"
    for name, field in fields.items():
        same_kind(field, inside(model.model_fields[name].annotation))


def same_kind(field: FieldDescriptor, kinds: list[Any]) -> None:
    if field.enum_type is not None:
        words = {
            str(word.value if isinstance(word, Enum) else word)
            for kind in kinds
            for word in (get_args(kind) if get_origin(kind) is Literal else kind)
        }
        assert words == set(words_of(field.enum_type).values()), field.full_name
    elif field.message_type is not None and field.message_type.full_name != Timestamp.DESCRIPTOR.full_name:
        described = field.message_type
        if described.GetOptions().map_entry:
            inner = described.fields_by_name["value"].message_type
            if inner is None:
                return
            described = inner
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                same(described, kind)


async def test_every_operation_of_rest_has_a_method(tmp_path: Path) -> None:
    async with rpc_served(tmp_path, {"AO_WARM": "off"}) as rpc:
        services = rpc.api.services
        found = services_of(services, Readiness(services))
    methods = [method.operation for _, methods in found for method in methods.values()]
    assert sorted(methods) == sorted(RULES.keys() - OF_HTTP.keys())


def test_answers_have_the_fields_of_rest() -> None:
    for message, view in VIEWS:
        same(message.DESCRIPTOR, view)


async def test_requests_have_the_fields_of_rest(tmp_path: Path) -> None:
    async with rpc_served(tmp_path, {"AO_WARM": "off"}) as rpc:
        services = rpc.api.services
        for descriptor, methods in services_of(services, Readiness(services)):
            for name, method in methods.items():
                same(METHODS[f"/{descriptor.full_name}/{name}"].input_type, method.request)
