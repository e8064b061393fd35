"""Removing what is old, a little at a time."""

import asyncio
from collections.abc import Awaitable, Callable

from ao.ids import RunId
from ao.logs import get_logger
from ao.store import Store
from ao.store.retention import Kept

log = get_logger(__name__)

RUNS_PER_LOOK = 500
EVENTS_PER_WRITE = 500
ROWS_PER_WRITE = 200
PAUSE_SECONDS = 0.01
"""Between two writes: what runs write goes first."""


async def remove_old(store: Store, kept: Kept) -> None:
    """One pass over everything that has an age."""
    now_us = await store.schedules.now_us()
    if kept.history_us is not None:
        before_us = now_us - kept.history_us
        events = await _drop_histories(store, before_us)
        deliveries = await _repeat(lambda: store.retention.drop_deliveries(before_us, ROWS_PER_WRITE))
        ticks = await _repeat(lambda: store.retention.drop_ticks(before_us, ROWS_PER_WRITE))
        if events or deliveries or ticks:
            log.info("old history removed", events=events, deliveries=deliveries, ticks=ticks)
    if kept.audit_us is not None:
        audit_before_us = now_us - kept.audit_us
        entries = await _repeat(lambda: store.retention.drop_audit(audit_before_us, ROWS_PER_WRITE))
        if entries:
            log.info("old audit entries removed", entries=entries)
    if kept.sessions_us is not None:
        unused_us = now_us - kept.sessions_us
        sessions = await _repeat(lambda: store.sessions.drop_unused(unused_us, ROWS_PER_WRITE))
        if sessions:
            log.info("unused sessions removed", sessions=sessions)


async def _drop_histories(store: Store, before_us: int) -> int:
    removed, after = 0, RunId("")
    while True:
        page = await store.retention.ended_before(before_us, after, RUNS_PER_LOOK)
        for run_id, up_to in page.runs:
            removed += await _drop_history(store, run_id, up_to)
        if page.last is None:
            return removed
        after = page.last
        await asyncio.sleep(PAUSE_SECONDS)


async def _drop_history(store: Store, run_id: RunId, up_to: int) -> int:
    return await _repeat(
        lambda: store.retention.drop_history(run_id, up_to, EVENTS_PER_WRITE), EVENTS_PER_WRITE
    )


async def _repeat(drop: Callable[[], Awaitable[int]], batch: int = ROWS_PER_WRITE) -> int:
    removed = 0
    while True:
        dropped = await drop()
        removed += dropped
        await asyncio.sleep(PAUSE_SECONDS)
        if dropped < batch:
            return removed
