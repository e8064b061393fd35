"""The workers and what waits for them."""

from ao.clock import to_datetime
from ao.control.fleet import why_queued
from ao.server.roles import Caller
from ao.server.services import Services
from ao.server.views import worker_view
from ao.store.worker_records import Fleet
from ao.wire.fleet import FleetView, FleetWorkerView, QueueView, WorkerRunView
from ao.wire.schemas import WorkerView


class FleetOperations:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, caller: Caller) -> FleetView:
        """A key with a scope sees only its own agents' runs among what workers execute."""
        return fleet_view(await self._services.workers.look(), caller)

    async def drain(self, caller: Caller, worker_id: str) -> WorkerView:
        worker = await self._services.workers.drain(worker_id, caller.actor)
        return worker_view(worker, await self._services.store.schedules.now_us())


def fleet_view(fleet: Fleet, caller: Caller) -> FleetView:
    workers = []
    for worker in fleet.workers:
        runs = [
            WorkerRunView.model_construct(
                id=run.run_id, agent=run.agent, attempt=run.attempt, since=to_datetime(run.since_us)
            )
            for run in fleet.runs[worker.id]
            if caller.sees(run.agent)
        ]
        seen = worker_view(worker, fleet.now_us)
        workers.append(FleetWorkerView.model_construct(**dict(seen), runs=runs))
    queues = [
        QueueView.model_construct(
            needs=queue.needs,
            prefers=queue.prefers,
            runs=queue.runs,
            since=to_datetime(queue.since_us),
            why=queue.why,
        )
        for queue in why_queued(fleet)
    ]
    return FleetView.model_construct(workers=workers, queues=queues)
