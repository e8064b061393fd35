"""Temporal's dev server with a worker in this process. Variants: shipped, tuned, durable."""

import sys
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.closed_loop import Run
from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, Order, in_subprocess, main
from benchmarks.peers.drivers.servers import free_port, running, until_ready

QUEUE = "benchmark"
TIMEOUT = timedelta(seconds=60)
DURABLE = ("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=FULL")
TUNED = (
    "--dynamic-config-value", "matching.numTaskqueueReadPartitions=1",
    "--dynamic-config-value", "matching.numTaskqueueWritePartitions=1",
    "--dynamic-config-value", "system.enableEagerWorkflowStart=true",
)  # fmt: skip


@activity.defn
def noop(number: int) -> int:
    return 2 * number + 1


@activity.defn
def own_process(number: int) -> int:
    return in_subprocess(number)


@workflow.defn
class Normal:
    """One activity, which goes through the server as every activity does by default."""

    @workflow.run
    async def run(self, task: str, number: int) -> int:
        result: int = await workflow.execute_activity(
            task, number, result_type=int, start_to_close_timeout=TIMEOUT
        )
        return result


@workflow.defn
class Local:
    """One local activity: the worker runs it without a task of the server."""

    @workflow.run
    async def run(self, task: str, number: int) -> int:
        result: int = await workflow.execute_local_activity(
            task, number, result_type=int, start_to_close_timeout=TIMEOUT
        )
        return result


@asynccontextmanager
async def contend(order: Order) -> AsyncIterator[dict[str, Run]]:
    tuned = order.variant != "shipped"
    options: list[str] = list(TUNED) if tuned else []
    if order.variant == "durable":
        options += ["--db-filename", str(order.directory / "temporal.db"), *DURABLE]
    port, log = free_port(), order.directory / "server.log"
    program = Path(sys.executable).parent / "temporal"
    command = [str(program), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)]
    with running([*command, *options], log, {"HOME": str(order.directory)}) as process:
        found: list[Client] = []

        async def ready() -> bool:
            try:
                found.append(await Client.connect(f"127.0.0.1:{port}"))
            except (RPCError, RuntimeError):
                return False
            return True

        await until_ready(process, log, ready)
        client = found[0]
        tuning: dict[str, Any] = {"workflow_runner": UnsandboxedWorkflowRunner()} if tuned else {}
        with ThreadPoolExecutor(order.concurrency) as threads:
            async with Worker(
                client,
                task_queue=QUEUE,
                workflows=[Normal, Local],
                activities=[noop, own_process],
                activity_executor=threads,
                **tuning,
            ):
                run = _through(client, tuned)
                yield {NOOP: run("noop"), SUBPROCESS: run("own_process")}


def _through(client: Client, tuned: bool) -> Callable[[str], Run]:
    kind = Local if tuned else Normal

    def of(task: str) -> Run:
        async def run(number: int) -> Any:
            return await client.execute_workflow(
                kind.run,
                args=[task, number],
                id=f"{task}-{uuid.uuid4()}",
                task_queue=QUEUE,
                request_eager_start=tuned,
            )

        return run

    return of


if __name__ == "__main__":
    main(contend)
