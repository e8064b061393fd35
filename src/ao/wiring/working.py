"""The worker of a process, and what keeps its agents warm."""

import socket

from ao.clock import SystemClock
from ao.sandbox import Level
from ao.wiring.ground import Ground, kill_supervisor
from ao.worker.attempt import Bench
from ao.worker.loop import Worker, WorkerOptions
from ao.worker.resolve import Resolver
from ao.worker.sessions import Attendance
from ao.worker.supervision import Supervision
from ao.worker.warming import Warming


def make_worker(ground: Ground) -> tuple[Worker, Warming | None]:
    """Without the second where no run starts warm."""
    executor, settings = ground.executor, ground.settings
    supervision = Supervision(executor, lambda: kill_supervisor(executor))
    attendance = Attendance(ground.store.sessions, ground.payloads, ground.workspaces)
    resolver = Resolver(
        ground.builder, ground.payloads, ground.secrets, ground.store.steps, attendance, ground.derivation
    )
    bench = Bench(ground.store, ground.bus, executor, supervision, resolver, ground.payloads, SystemClock())
    options = WorkerOptions(
        name=socket.gethostname(),
        slots=settings.slots,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        grace_seconds=settings.grace_seconds,
    )
    is_warm = settings.warm == "on" and executor.info.level is Level.NAMESPACES
    return Worker(bench, options), Warming(ground.store, ground.bus, executor, resolver) if is_warm else None
