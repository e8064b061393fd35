"""A platform behind a real gRPC server on loopback, in this event loop, and what a client needs."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from tests.served import Served, served

from ao.server.grpc.listen import GrpcListener
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
from ao.v1.problem_pb2 import Problem
from ao.v1.runs_pb2_grpc import RunServiceStub

FILES = (
    sessions_pb2,
    runs_pb2,
    questions_pb2,
    dead_letters_pb2,
    agents_pb2,
    schedules_pb2,
    assistants_pb2,
    secrets_pb2,
    access_pb2,
    server_pb2,
    webhooks_pb2,
    workers_pb2,
)
SERVICES: list[ServiceDescriptor] = [
    service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()
]
METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods
}
"""By path."""


class Rpc:
    def __init__(self, api: Served, listener: GrpcListener, channel: grpc.aio.Channel) -> None:
        self.api = api
        self.listener = listener
        self.channel = channel
        self.runs: Any = RunServiceStub(channel)
        self.key = (("authorization", f"Bearer {api.key}"),)
        """Metadata of the admin key."""

    def call(self, path: str, request: Message, token: str | None, **more: Any) -> Any:
        """The call of a method, sent with a key; a stream of one message to those that take a stream."""
        metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        return self.send(path, request, metadata, **more)

    def send(self, path: str, request: Message, metadata: Any, **more: Any) -> Any:
        method = METHODS[path]
        answer = GetMessageClass(method.output_type)
        coded: Any = {
            "request_serializer": lambda message: message.SerializeToString(),
            "response_deserializer": answer.FromString,
        }
        if method.client_streaming:
            upload: Any = self.channel.stream_unary(path, **coded)
            return upload([request], metadata=metadata, **more)
        make = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        sender: Any = make(path, **coded)
        return sender(request, metadata=metadata, **more)

    async def refused(self, call: Any) -> "Refusal":
        """What a call is refused with; fails the test when it is not."""
        try:
            if hasattr(call, "read"):
                while await call.read() is not grpc.aio.EOF:
                    pass
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return Refusal(error)
        raise AssertionError("the call was not refused")


class Refusal:
    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.message = error.details()
        trailing = dict(error.trailing_metadata() or ())
        self.request_id = trailing.get("x-request-id")
        self.details: dict[str, bytes] = {}
        if "grpc-status-details-bin" in trailing:
            status = Status.FromString(trailing["grpc-status-details-bin"])
            assert status.code == self.code.value[0]
            self.details = {detail.type_url.rpartition("/")[2]: detail.value for detail in status.details}

    @property
    def problem(self) -> Problem:
        return Problem.FromString(self.details["ao.v1.Problem"])

    @property
    def fields(self) -> list[str]:
        return [found.field for found in self.problem.problems]


@asynccontextmanager
async def rpc_served(
    scratch: Path, variables: Mapping[str, str] | None = None, *, worker: bool = False
) -> AsyncIterator[Rpc]:
    async with (
        served(scratch, variables, worker=worker) as api,
        GrpcListener(api.services, "127.0.0.1", 0) as listener,
        grpc.aio.insecure_channel(listener.address) as channel,
    ):
        yield Rpc(api, listener, channel)
