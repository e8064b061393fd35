"""`grpc.reflection`, for clients that have no `.proto`. It needs a key, as the OpenAPI document does."""

from collections.abc import AsyncIterable, Sequence

import grpc
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection import aio

from ao.domain.access import SOME_AGENT, require
from ao.server.grpc.door import Context, Door, Visit
from ao.server.roles import RULES

REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
_NAMES = (REFLECTION, "grpc.reflection.v1.ServerReflection")
"""Two names of one thing: the messages are the same."""
OPERATION = "get_openapi"


def reflection_handlers(door: Door, services: Sequence[str]) -> list[grpc.GenericRpcHandler]:
    servicer = aio.ReflectionServicer(services)

    async def handle(requests: AsyncIterable[pb.ServerReflectionRequest], context: Context) -> None:
        async def tell(visit: Visit) -> None:
            require(visit.known_key, RULES[OPERATION].permission, SOME_AGENT)
            async for answer in servicer.ServerReflectionInfo(requests, context):
                await visit.send(answer)

        await door.visited("ServerReflection", context, lambda visit: door.until_closing(tell(visit)))

    method = grpc.stream_stream_rpc_method_handler(
        handle,
        request_deserializer=pb.ServerReflectionRequest.FromString,
        response_serializer=pb.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method}) for name in _NAMES]
