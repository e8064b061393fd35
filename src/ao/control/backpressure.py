"""How long the queue may get: beyond, new runs are refused with when to come back."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from ao.domain.errors import QueueFull
from ao.store import Store

FRESH_SECONDS = 1.0
"""A count is taken again after so long at the earliest; in between, what is accepted here is added to it."""
SHARE = 0.05
"""Counting may take this part of the time of one reader: a count of a long queue is kept for longer."""
RETRY_AFTER_SECONDS = 5
REMEMBERED = 1024


@dataclass(slots=True)
class _Depth:
    count: int = 0
    until: float = 0.0
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)


class Backpressure:
    """Depths are counted in the database and remembered, so that accepting a run costs a look at a number.
    While one request counts again, the others go on with what is remembered.

    Replicas see each other's runs a second late: together they may go over a limit by what they accept in it.
    """

    def __init__(self, store: Store, limit: int, limit_per_agent: int) -> None:
        """0 is no limit."""
        self._store = store
        self._limit = limit
        self._limit_per_agent = limit_per_agent
        self._total = _Depth()
        self._agents: OrderedDict[str, _Depth] = OrderedDict()

    async def admit(self, agent: str) -> None:
        """Count one more run of this agent. Raises QueueFull."""
        _, full = await self.admit_some(agent, 1)
        if full is not None:
            raise full

    async def admit_some(self, agent: str, wanted: int) -> tuple[int, QueueFull | None]:
        """Count up to `wanted` more runs of this agent: (how many have room, why the next one has none)."""
        room, full = wanted, None
        limits = [(self._total, None, self._limit), (self._of(agent), agent, self._limit_per_agent)]
        for depth, whose, limit in limits:
            if limit:
                await self._look(depth, whose, limit)
                if limit - depth.count < room:
                    room, full = max(0, limit - depth.count), _full(whose, limit)
        for depth, _, _ in limits:
            depth.count += room
        return room, full

    def _of(self, agent: str) -> _Depth:
        if agent not in self._agents and len(self._agents) >= REMEMBERED:
            self._agents.popitem(last=False)
        return self._agents.setdefault(agent, _Depth())

    async def _look(self, depth: _Depth, agent: str | None, limit: int) -> None:
        never_counted = not depth.until
        if never_counted or (depth.until <= time.monotonic() and not depth.counting.locked()):
            async with depth.counting:
                if depth.until <= time.monotonic():
                    await self._count(depth, agent, limit)

    async def _count(self, depth: _Depth, agent: str | None, limit: int) -> None:
        started = time.monotonic()
        depth.count = await self._store.runs.queued(agent, limit)
        took = time.monotonic() - started
        depth.until = time.monotonic() + max(FRESH_SECONDS, took / SHARE)


def _full(agent: str | None, limit: int) -> QueueFull:
    whose = f"runs of {agent}" if agent else "runs"
    return QueueFull(
        f"{limit:,} {whose} wait already",
        hint=f"try again in {RETRY_AFTER_SECONDS} s, or add workers; AO_MAX_QUEUED and"
        " AO_MAX_QUEUED_PER_AGENT are the limits",
        details={"limit": limit, "agent": agent, "retry_after_seconds": RETRY_AFTER_SECONDS},
    )
