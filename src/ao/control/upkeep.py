"""The loops that keep runs moving: delayed ones become ready, lost ones go back to pending."""

import asyncio
import random

from ao.bus import DELAYED, READY, Bus, run_topic
from ao.control.retention import remove_old
from ao.domain.errors import Unavailable
from ao.logs import get_logger
from ao.store import Store
from ao.store.records import LostRuns
from ao.store.retention import Kept

log = get_logger(__name__)

BATCH = 500
MAX_IDLE_SECONDS = 5.0
TIDY_SECONDS = 3600.0
TALLY_KEPT_US = 31 * 24 * 3600 * 1_000_000


async def promote_forever(store: Store, bus: Bus) -> None:
    """Make delayed runs claimable when they are due, and cancel those that waited too long for a worker."""
    with bus.subscribe(DELAYED) as hints:
        while True:
            idle = MAX_IDLE_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - spreads replicas
            try:
                await cancel_overdue(store, bus)
                promoted, next_us = await store.runs.promote_due(BATCH)
                if promoted:
                    bus.publish(READY)
                if next_us is not None:
                    idle = min(idle, (next_us - await store.schedules.now_us()) / 1e6)
            except Unavailable as error:
                log.warning("delayed runs not promoted", error=str(error))
            await hints.wait(max(0.0, idle))


async def cancel_overdue(store: Store, bus: Bus) -> None:
    """Cancel what no worker has taken within its `queue_timeout`."""
    for run_id in await store.runs.overdue(BATCH):
        result = await store.runs.expire(run_id)
        if result.others_claimable:
            bus.publish(READY)
        bus.publish(run_topic(run_id))


async def sweep_forever(store: Store, bus: Bus, every_seconds: float) -> None:
    """Take runs back from workers whose lease has ended."""
    while True:
        try:
            announce_lost(await store.workers.sweep(BATCH), bus)
        except Unavailable as error:
            log.warning("sweep failed", error=str(error))
        await asyncio.sleep(every_seconds * random.uniform(0.8, 1.0))  # noqa: S311 - spreads replicas


async def tidy_forever(
    store: Store, history_us: int | None, audit_us: int | None, sessions_us: int | None = None
) -> None:
    """Remove what is old: history, audit entries, sessions, counts and logins. None keeps for ever."""
    while True:
        try:
            await store.insights.tidy(await store.schedules.now_us() - TALLY_KEPT_US)
            await remove_old(store, Kept(history_us, audit_us, sessions_us))
        except Unavailable as error:
            log.warning("what is old not removed", error=str(error))
        await asyncio.sleep(TIDY_SECONDS)


async def take_back_runs(store: Store, bus: Bus) -> None:
    """Take the runs of all workers back. The caller knows that none of them is alive."""
    for worker in await store.workers.list():
        announce_lost(await store.workers.retire(worker.id), bus)


def announce_lost(lost: LostRuns, bus: Bus) -> None:
    """Tell the world about runs whose worker went away."""
    if lost.requeued or lost.failed or lost.cancelled:  # who ends leaves its gates to others
        bus.publish(READY)
    for run_id in (*lost.requeued, *lost.failed, *lost.cancelled):
        log.warning("run lost its worker", run=run_id)
        bus.publish(run_topic(run_id))
