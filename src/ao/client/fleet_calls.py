"""Workers as `Call`s; see `ao.client.calls`."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from ao.client.calls import one
from ao.client.wire import Call

if TYPE_CHECKING:
    from ao.wire.fleet import FleetView
    from ao.wire.schemas import WorkerView


def list_workers() -> "Call[FleetView]":
    return Call("GET", "/v1/workers", one("fleet.FleetView"))


def drain_worker(worker_id: str) -> "Call[WorkerView]":
    return Call("POST", f"/v1/workers/{quote(worker_id, safe='')}/drain", one("WorkerView"))
