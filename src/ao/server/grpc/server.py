"""`ao.v1.ServerService`: the server itself."""

from ao.server.grpc.methods import Method, Service, answer
from ao.server.grpc.requests import Nothing
from ao.server.operations.server import GcQuery, ServerOperations


def server_service(server: ServerOperations) -> Service:
    return {
        "GetStatus": Method("get_status", Nothing, answer(lambda _, __: server.status())),
        "GetSizes": Method("get_sizes", Nothing, answer(lambda _, __: server.sizes())),
        "CollectGarbage": Method("collect_garbage", GcQuery, answer(server.collect)),
    }
