"""DBOS: workflows in the process that submits them.

Variants: queue, queue-tuned, queue-postgres, direct, direct-postgres.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dbos import DBOS, DBOSConfig, WorkflowHandleAsync

from benchmarks.closed_loop import Run
from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, Order, in_subprocess, main

QUEUE = "benchmark"
TUNED_POLL_SECONDS = 0.01
DEFAULT_POLL_SECONDS = 1.0
Workflow = Callable[[int], Awaitable[int]]


@DBOS.step()
async def noop_step(number: int) -> int:
    return 2 * number + 1


@DBOS.step()
async def subprocess_step(number: int) -> int:
    return await asyncio.to_thread(in_subprocess, number)


@DBOS.workflow()
async def noop(number: int) -> int:
    return await noop_step(number)


@DBOS.workflow()
async def own_process(number: int) -> int:
    return await subprocess_step(number)


@asynccontextmanager
async def contend(order: Order) -> AsyncIterator[dict[str, Run]]:
    kind, _, how = order.variant.partition("-")
    url = order.database_url if how == "postgres" else f"sqlite:///{order.directory}/dbos.sqlite"
    config: DBOSConfig = {"name": "benchmark", "system_database_url": url, "log_level": "ERROR"}
    DBOS(config=config)
    DBOS.launch()
    poll = TUNED_POLL_SECONDS if how else DEFAULT_POLL_SECONDS
    try:
        if kind == "queue":
            await DBOS.register_queue_async(QUEUE, polling_interval_sec=poll)
            yield {NOOP: _queued(noop, poll), SUBPROCESS: _queued(own_process, poll)}
        else:
            yield {NOOP: noop, SUBPROCESS: own_process}
    finally:
        DBOS.destroy()


def _queued(workflow: Workflow, poll_seconds: float) -> Run:
    async def run(number: int) -> int:
        handle: WorkflowHandleAsync[int] = await DBOS.enqueue_workflow_async(QUEUE, workflow, number)
        return await handle.get_result(polling_interval_sec=poll_seconds)

    return run


if __name__ == "__main__":
    main(contend)
