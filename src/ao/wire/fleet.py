"""Bodies of the REST API about workers."""

from datetime import datetime

from pydantic import Field

from ao.wire.schemas import Response, WorkerView


class WorkerRunView(Response):
    id: str
    agent: str
    attempt: int
    since: datetime = Field(description="Start of the attempt.")


class FleetWorkerView(WorkerView):
    """A worker with what it executes."""

    runs: list[WorkerRunView]


class QueueView(Response):
    """Runs that could be claimed now and want the same of a worker."""

    needs: str = Field(description="What a worker must have; empty: any will do.")
    prefers: str
    runs: int = Field(description="At most 10,000 are counted.")
    since: datetime = Field(description="Since when the next one waits.")
    why: str = Field(description="Why the next one has not started.")


class FleetView(Response):
    workers: list[FleetWorkerView]
    queues: list[QueueView]
