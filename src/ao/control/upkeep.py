"""The loops that keep runs moving: delayed ones become ready, lost ones go back to pending."""

import asyncio
import random

from ao.bus import READY, Bus, announce
from ao.control.agenda import Agenda
from ao.control.retention import remove_old
from ao.domain.errors import Unavailable
from ao.logs import get_logger
from ao.store import Store
from ao.store.agenda import Due
from ao.store.records import LostRuns
from ao.store.retention import Kept

log = get_logger(__name__)

BATCH = 500
REVIEW_SECONDS = 5.0
TIDY_SECONDS = 3600.0
TALLY_KEPT_US = 31 * 24 * 3600 * 1_000_000


async def promote_forever(store: Store, bus: Bus, agenda: Agenda) -> None:
    """Make delayed runs claimable when they are due, let sleepers go on, and cancel those that waited too long
    for a worker."""
    while True:
        await agenda.due(Due.RUNS)
        try:
            while await _promote(store, bus) >= BATCH:
                pass
        except Unavailable as error:
            log.warning("delayed runs not promoted", error=str(error))


async def _promote(store: Store, bus: Bus) -> int:
    await cancel_overdue(store, bus)
    promoted = await store.runs.promote_due(BATCH)
    if promoted:
        bus.publish(READY)
    return promoted


async def review_forever(store: Store, bus: Bus, agenda: Agenda) -> None:
    """Put runs right that wait where they need not wait any more."""
    while True:
        await agenda.due(Due.ASIDE)
        try:
            while await store.runs.review(BATCH):
                bus.publish(READY)
        except Unavailable as error:
            log.warning("runs that were put aside not looked at", error=str(error))
        await asyncio.sleep(REVIEW_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311 - spreads replicas


async def cancel_overdue(store: Store, bus: Bus) -> None:
    """Cancel what no worker has taken within its `queue_timeout`."""
    for run_id in await store.runs.overdue(BATCH):
        result = await store.runs.expire(run_id)
        if result.others_claimable:
            bus.publish(READY)
        announce(bus, run_id)


async def sweep_forever(store: Store, bus: Bus, agenda: Agenda) -> None:
    """Take runs back from workers whose lease has ended."""
    while True:
        await agenda.due(Due.LEASES)
        try:
            announce_lost(await store.workers.sweep(BATCH), bus)
        except Unavailable as error:
            log.warning("sweep failed", error=str(error))


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
        announce(bus, run_id)
