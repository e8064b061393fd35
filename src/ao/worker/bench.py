"""What every attempt of a worker works with."""

from dataclasses import dataclass

from ao.bus import Bus
from ao.clock import Clock
from ao.control.payloads import Payloads
from ao.sandbox import Executor
from ao.store import Store
from ao.worker.devices import Devices
from ao.worker.resolve import Resolver
from ao.worker.room import Room
from ao.worker.supervision import Supervision


@dataclass(frozen=True, slots=True)
class Bench:
    store: Store
    bus: Bus
    executor: Executor
    supervision: Supervision
    resolver: Resolver
    payloads: Payloads
    clock: Clock
    room: Room
    devices: Devices
