"""Processes that share a store know of each other, and which of their releases may go on."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from ao.build import Collected
from ao.control.deployments import tidy_home, tidy_workplace
from ao.control.membership import Membership
from ao.store.processes import Role
from ao.wiring.ground import Ground


@asynccontextmanager
async def member(ground: Ground, role: Role, stop: asyncio.Event) -> AsyncIterator[None]:
    """Be known to be at work inside of the block. Sets `stop` when this process may not go on, and raises why
    at the end of the block. A home with a file of its own has nobody to tell."""
    if not ground.settings.on_postgres:
        yield
        return

    def tidy() -> Coroutine[None, None, Collected]:
        if role == "worker":
            return tidy_workplace(ground.store, ground.builder, ground.executor)
        return tidy_home(ground.store, ground.builder)

    membership = Membership(ground.store.processes, role, tidy)
    await membership.join()
    beats = asyncio.create_task(membership.beat_forever(), name="beats")
    beats.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        beats.cancel()
        await asyncio.wait({beats})
        await membership.leave()
    if not beats.cancelled():
        try:
            beats.result()
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
