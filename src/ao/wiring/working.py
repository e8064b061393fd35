"""What a process works with: a worker, and templates of the agents that are live."""

import socket
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from ao.clock import SystemClock
from ao.domain.placement import Amounts, Offer
from ao.sandbox import Level
from ao.settings import Settings, host_environment
from ao.wiring.ground import Ground
from ao.worker.bench import Bench
from ao.worker.devices import Devices
from ao.worker.loop import Worker, WorkerOptions
from ao.worker.machine import detect, gpu_numbers
from ao.worker.resolve import Resolver
from ao.worker.room import Room
from ao.worker.sessions import Attendance
from ao.worker.store_clock import StoreClock
from ao.worker.supervision import Supervision
from ao.worker.warming import Warming


@dataclass(frozen=True, slots=True)
class Crew:
    worker: Worker
    warming: Warming | None
    """None where no run starts warm."""
    clock: StoreClock | None
    """None where the store has the clock of this machine."""

    def duties(self) -> dict[str, Coroutine[None, None, None]]:
        return {
            **({} if self.warming is None else {"templates": self.warming.run_forever()}),
            **({} if self.clock is None else {"clock": self.clock.follow_forever()}),
        }


def offer_of(settings: Settings, found: Amounts, gpus: Sequence[int]) -> Offer:
    """What its runs may take: what was said, else what the machine has."""
    cpus = settings.worker_cpus
    memory = found.memory if settings.worker_memory is None else settings.worker_memory
    amounts = Amounts(memory, found.cpu if cpus is None else round(cpus * 1000), len(gpus))
    return Offer(settings.labels, amounts)


def make_crew(ground: Ground) -> Crew:
    executor, settings, store = ground.executor, ground.settings, ground.store
    supervision = Supervision(executor, executor.kill)
    attendance = Attendance(store.sessions, ground.payloads, ground.workspaces)
    clock = StoreClock(store.workers) if settings.on_postgres else None
    resolver = Resolver(
        ground.builder,
        ground.payloads,
        ground.secrets,
        store,
        attendance,
        ground.derivation,
        lambda: clock.booted_us if clock else None,
    )
    found = detect()
    gpus = gpu_numbers(settings.worker_gpus, found.gpu, host_environment().get("CUDA_VISIBLE_DEVICES"))
    offer = offer_of(settings, found, gpus)
    bench = Bench(
        store,
        ground.bus,
        executor,
        supervision,
        resolver,
        ground.payloads,
        clock or SystemClock(),
        Room(ground.home.root),
        Devices(gpus),
    )
    options = WorkerOptions(
        name=socket.gethostname(),
        slots=settings.slots,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        grace_seconds=settings.grace_seconds,
        offer=offer,
        version=version("ao-platform"),
    )
    is_warm = settings.warm == "on" and executor.info.level is Level.NAMESPACES
    warming = Warming(store, ground.bus, executor, resolver) if is_warm else None
    return Crew(Worker(bench, options), warming, clock)
