"""Celery with Redis as broker and store of results. Variants: shipped, tuned, disk.

Tuned: a thread for every client instead of a process for every core, and no talk among workers. `disk` is for
a Redis that writes everything to the disk; its tasks are acknowledged when they end.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.closed_loop import Run
from benchmarks.peers.drivers import celery_tasks
from benchmarks.peers.drivers.order import Order, main
from benchmarks.peers.drivers.servers import running, until_ready

TUNED = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--pool", "threads")
RESULT_SECONDS = 60.0


@asynccontextmanager
async def contend(order: Order) -> AsyncIterator[dict[str, Run]]:
    url = order.database_url.replace("unix://", "redis+socket://", 1)
    celery_tasks.app.conf.update(broker_url=url, result_backend=url)
    options = [] if order.variant == "shipped" else [*TUNED, "--concurrency", str(order.concurrency)]
    log = order.directory / "worker.log"
    command = [sys.executable, "-m", "celery", "-A", celery_tasks.__name__, "-b", url, "--result-backend", url]
    tasks = celery_tasks.LATE if order.variant == "disk" else celery_tasks.EARLY
    with running([*command, "worker", "-l", "WARNING", *options], log) as worker:
        await until_ready(worker, log, _answers)
        with ThreadPoolExecutor(order.concurrency) as threads:
            yield {name: _sent(task, threads) for name, task in tasks.items()}


async def _answers() -> bool:
    """Whether a worker answers."""
    return bool(await asyncio.to_thread(celery_tasks.app.control.ping, timeout=1.0))


def _sent(task: Any, threads: ThreadPoolExecutor) -> Run:
    def result(number: int) -> Any:
        return task.delay(number).get(timeout=RESULT_SECONDS)

    async def run(number: int) -> Any:
        return await asyncio.get_running_loop().run_in_executor(threads, result, number)

    return run


if __name__ == "__main__":
    main(contend)
