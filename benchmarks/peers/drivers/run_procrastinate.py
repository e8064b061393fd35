"""Procrastinate: jobs in Postgres, and a worker in the process that submits them.

Variants: shipped, tuned. Procrastinate keeps no results: a task hands its own to the caller here, in memory; in
`shipped` as it returns, in `tuned` once the end of its job is committed.

A job that is submitted while the worker asks for one may be missed until the next poll: the worker forgets the
notification that came in between. `tuned` therefore polls often as well.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from benchmarks.closed_loop import Run
from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, Order, in_subprocess, main

TUNED = {"fetch_job_polling_interval": 0.02}
TUNED_CONNECTIONS = 8


class Results:
    """The results that callers in this process wait for, by the number of their work."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._returned: dict[int, int] = {}

    def expect(self, number: int) -> "asyncio.Future[int]":
        self._waiting[number] = asyncio.get_running_loop().create_future()
        return self._waiting[number]

    def returned(self, number: int, result: int) -> None:
        self._returned[number] = result

    def tell(self, number: int) -> None:
        self._waiting.pop(number).set_result(self._returned.pop(number))


class TellingManager(JobManager):
    """Tells the caller once the end of its job is committed."""

    def __init__(self, connector: PsycopgConnector, results: Results) -> None:
        super().__init__(connector)
        self._results = results

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        await super().finish_job(job=job, status=status, delete_job=delete_job)
        self._results.tell(job.task_kwargs["number"])


@asynccontextmanager
async def contend(order: Order) -> AsyncIterator[dict[str, Run]]:
    tuned = order.variant == "tuned"
    pool = {"min_size": TUNED_CONNECTIONS, "max_size": TUNED_CONNECTIONS} if tuned else {}
    options = TUNED | {"concurrency": order.concurrency} if tuned else {}
    connector = PsycopgConnector(conninfo=order.database_url, **pool)
    app, results = App(connector=connector), Results()
    if tuned:
        app.job_manager = TellingManager(connector, results)
    tasks = _tasks(app, results, at_once=not tuned)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        worker = asyncio.create_task(app.run_worker_async(install_signal_handlers=False, **options))
        try:
            yield {name: _deferred(task, results) for name, task in tasks.items()}
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


def _tasks(app: App, results: Results, *, at_once: bool) -> dict[str, Any]:
    def returned(number: int, result: int) -> None:
        results.returned(number, result)
        if at_once:
            results.tell(number)

    @app.task(name=NOOP)
    async def noop(number: int) -> None:
        returned(number, 2 * number + 1)

    @app.task(name=SUBPROCESS)
    async def own_process(number: int) -> None:
        returned(number, await asyncio.to_thread(in_subprocess, number))

    return {NOOP: noop, SUBPROCESS: own_process}


def _deferred(task: Any, results: Results) -> Run:
    async def run(number: int) -> int:
        result = results.expect(number)
        await task.defer_async(number=number)
        return await result

    return run


if __name__ == "__main__":
    main(contend)
