"""`ao.v1.WorkerService`: workers, and what waits for them."""

from pydantic import Field

from ao.server.grpc.methods import Method, Service, answer
from ao.server.grpc.requests import Nothing
from ao.server.operations.fleet import FleetOperations
from ao.server.services import Services
from ao.wire.schemas import Request


class DrainWorker(Request):
    worker_id: str = Field(min_length=1, max_length=36)


def worker_service(services: Services) -> Service:
    fleet = FleetOperations(services)
    drain = answer(lambda caller, asked: fleet.drain(caller, asked.worker_id))
    return {
        "ListWorkers": Method("list_workers", Nothing, answer(lambda caller, _: fleet.list(caller))),
        "DrainWorker": Method("drain_worker", DrainWorker, drain),
    }
