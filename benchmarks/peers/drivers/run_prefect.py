"""Prefect: its API server next to this process. Variants: serve, serve-tuned, direct, direct-tuned.

`serve` submits to a deployment whose runs Prefect starts in new processes; `direct` calls the flow here.
`PREFECT_HOME` and `PREFECT_API_URL` come from whoever starts this, because Prefect reads them at import.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from prefect import Flow
from prefect.deployments import run_deployment
from prefect.runner import Runner

from benchmarks.closed_loop import Run
from benchmarks.peers.drivers import prefect_flows
from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, Order, main
from benchmarks.peers.drivers.servers import running, until_ready

TUNED_RUNNER_SECONDS = 1
TUNED_WAIT_SECONDS = 0.1
SHIPPED_WAIT_SECONDS = 5.0
NAME = "benchmark"


@asynccontextmanager
async def contend(order: Order) -> AsyncIterator[dict[str, Run]]:
    url = os.environ["PREFECT_API_URL"]
    log = order.directory / "server.log"
    port = str(urlsplit(url).port)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    async with AsyncExitStack() as stack:
        process = stack.enter_context(running(command, log))
        await until_ready(process, log, lambda: _healthy(url))
        if order.variant.startswith("serve"):
            await stack.enter_async_context(_served(tuned=order.variant == "serve-tuned"))
            wait = TUNED_WAIT_SECONDS if order.variant == "serve-tuned" else SHIPPED_WAIT_SECONDS
            yield {NOOP: _deployed(prefect_flows.noop, wait)}
        else:
            yield _direct(tuned=order.variant == "direct-tuned")


async def _healthy(url: str) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"{url}/health")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def _served(*, tuned: bool) -> AsyncIterator[None]:
    runner = Runner(name=NAME, query_seconds=TUNED_RUNNER_SECONDS if tuned else None)
    await runner.aadd_flow(prefect_flows.noop, name=NAME)
    serving = asyncio.create_task(runner.start())
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _deployed(flow: "Flow[[int], int]", wait_seconds: float) -> Run:
    async def run(number: int) -> Any:
        deployment = f"{flow.name}/{NAME}"
        flow_run: Any = await run_deployment(
            deployment, parameters={"number": number}, poll_interval=wait_seconds, as_subflow=False
        )
        return await flow_run.state.aresult()

    return run


def _direct(*, tuned: bool) -> dict[str, Run]:
    """Tuned: async flows, which in this release take a tenth of the time of sync ones."""
    if tuned:
        return {NOOP: prefect_flows.async_noop, SUBPROCESS: prefect_flows.async_child}
    return {NOOP: _called(prefect_flows.noop), SUBPROCESS: _called(prefect_flows.child)}


def _called(flow: "Flow[[int], int]") -> Run:
    async def run(number: int) -> Any:
        return await asyncio.to_thread(flow, number)

    return run


if __name__ == "__main__":
    main(contend)
