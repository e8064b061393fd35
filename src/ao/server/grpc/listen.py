"""A gRPC server inside an event loop that somebody else owns, beside the HTTP server."""

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from ao.domain.errors import Conflict
from ao.server.app import JSON_LIMIT
from ao.server.grpc.access import access_service
from ao.server.grpc.agents import agent_service
from ao.server.grpc.assistants import assistant_service
from ao.server.grpc.dead_letters import dead_letter_service
from ao.server.grpc.door import Door
from ao.server.grpc.health import Health
from ao.server.grpc.keys_first import KeysFirst
from ao.server.grpc.methods import Method, Service
from ao.server.grpc.questions import question_service
from ao.server.grpc.reflection import REFLECTION, reflection_handlers
from ao.server.grpc.runs import run_service
from ao.server.grpc.schedules import schedule_service
from ao.server.grpc.secrets import secret_service
from ao.server.grpc.server import server_service
from ao.server.grpc.sessions import session_service
from ao.server.grpc.webhooks import webhook_service
from ao.server.grpc.workers import worker_service
from ao.server.health import Readiness
from ao.server.listen import GRACE_SECONDS, bind
from ao.server.operations.server import ServerOperations
from ao.server.services import Services
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
from ao.wire.schemas import CheckView

VARIABLE = "AO_GRPC_PORT"
HEALTH = "grpc.health.v1.Health"

OPTIONS = (
    ("grpc.so_reuseport", 0),  # two servers on one port would each get some of the calls
    ("grpc.max_receive_message_length", JSON_LIMIT),
    ("grpc.max_send_message_length", 3 * JSON_LIMIT),  # a run has an input and an output
    ("grpc.keepalive_time_ms", 30_000),  # finds clients that vanished, and keeps idle streams open
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
)


def services_of(services: Services, readiness: Readiness) -> Sequence[tuple[ServiceDescriptor, Service]]:
    """Every service of the `.proto` files with its methods."""
    made = {
        runs_pb2: {"RunService": run_service(services)},
        questions_pb2: {"QuestionService": question_service(services)},
        dead_letters_pb2: {"DeadLetterService": dead_letter_service(services)},
        agents_pb2: {"AgentService": agent_service(services)},
        schedules_pb2: {"ScheduleService": schedule_service(services)},
        assistants_pb2: {"AssistantService": assistant_service(services)},
        sessions_pb2: {"SessionService": session_service(services)},
        webhooks_pb2: {"WebhookService": webhook_service(services)},
        workers_pb2: {"WorkerService": worker_service(services)},
        secrets_pb2: {"SecretService": secret_service(services)},
        access_pb2: {"AccessService": access_service(services)},
        server_pb2: {"ServerService": server_service(ServerOperations(services, readiness))},
    }
    return [
        (file.DESCRIPTOR.services_by_name[name], methods)
        for file, found in made.items()
        for name, methods in found.items()
    ]


class GrpcListener:
    """Async context manager: listening when entered; on exit streams end and answers in progress go out."""

    def __init__(self, services: Services, host: str, port: int) -> None:
        """Takes the port. Raises Conflict or InvalidConfig, as `bind` does."""
        self.services = replace(services, checks=(*services.checks, self._check))
        """With this listener among their checks."""
        self._door = Door(services)
        self._server = grpc.aio.server(options=OPTIONS, interceptors=[KeysFirst(self._door)])
        self._add(self.services)
        self.address = _listen(self._server, host, port)
        """`host:port`."""

    def _add(self, services: Services) -> None:
        readiness = Readiness(services)
        found = services_of(services, readiness)
        names = [descriptor.full_name for descriptor, _ in found]
        handlers = [_handlers(self._door, descriptor, methods) for descriptor, methods in found]
        handlers += reflection_handlers(self._door, [*names, HEALTH, REFLECTION])
        self._server.add_generic_rpc_handlers(handlers)
        add_HealthServicer_to_server(Health(readiness, names, services.closing), self._server)

    async def __aenter__(self) -> "GrpcListener":
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.services.closing.close()
        await self._server.stop(GRACE_SECONDS)
        await self._door.unfinished.wait()

    async def _check(self) -> CheckView:
        """For readiness and `ao doctor`."""
        return CheckView(name="grpc", status="ok", message=f"listens on {self.address}")


def _listen(server: grpc.aio.Server, host: str, port: int) -> str:
    """Take the port. Raises as `bind` does."""
    with bind(host, port, VARIABLE) as probe:  # says better than gRPC what is wrong
        name = probe.getsockname()[0]
    shown = f"[{name}]" if ":" in name else name
    try:
        taken = server.add_insecure_port(f"{shown}:{port}")
    except RuntimeError as error:
        raise Conflict(f"cannot listen on {shown}:{port}", hint=f"set {VARIABLE} to another") from error
    return f"{shown}:{taken}"


def _handlers(door: Door, descriptor: ServiceDescriptor, methods: Service) -> grpc.GenericRpcHandler:
    if set(methods) != set(descriptor.methods_by_name):
        raise LookupError(f"{descriptor.full_name} is not what its .proto says")
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: _handler(door, descriptor, name, methods[name]) for name in descriptor.methods_by_name
    }
    return grpc.method_handlers_generic_handler(descriptor.full_name, handlers)


def _handler(door: Door, descriptor: ServiceDescriptor, name: str, method: Method) -> Any:
    described = descriptor.methods_by_name[name]
    request, answer = GetMessageClass(described.input_type), GetMessageClass(described.output_type)
    path = f"/{descriptor.full_name}/{name}"
    out: Any = {"response_serializer": answer.SerializeToString}  # the door reads what comes in
    if described.client_streaming:
        return grpc.stream_unary_rpc_method_handler(door.upload_handler(path, method, request, answer), **out)
    if described.server_streaming:
        return grpc.unary_stream_rpc_method_handler(door.stream_handler(path, method, request), **out)
    return grpc.unary_unary_rpc_method_handler(door.handler(path, method, request, answer), **out)
