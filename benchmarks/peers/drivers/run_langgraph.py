"""LangGraph's dev server, which keeps its queue in memory, and its client. Variants: shipped, tuned.

Tuned: a job for every client, files not watched. The half second between looks at an empty queue is fixed.
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from benchmarks.closed_loop import Run
from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, Order, main
from benchmarks.peers.drivers.servers import free_port, running, until_ready

GRAPHS = Path(__file__).with_name("langgraph_graphs.py")
QUIET = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}


@asynccontextmanager
async def contend(order: Order) -> AsyncIterator[dict[str, Run]]:
    port, log, config = free_port(), order.directory / "server.log", order.directory / "langgraph.json"
    graphs = {NOOP: f"{GRAPHS}:noop", SUBPROCESS: f"{GRAPHS}:own_process"}
    config.write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    program = str(Path(sys.executable).with_name("langgraph"))
    command = [program, "dev", "--no-browser", "--port", str(port), "--config", str(config)]
    if order.variant == "tuned":
        command += ["--no-reload", "--n-jobs-per-worker", str(order.concurrency)]
    url = f"http://127.0.0.1:{port}"
    with running(command, log, QUIET) as process:
        await until_ready(process, log, lambda: _healthy(url))
        async with get_client(url=url) as client:
            yield {name: _waited(client, name) for name in graphs}


async def _healthy(url: str) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"{url}/ok")).status_code == 200
        except httpx.TransportError:
            return False


def _waited(client: LangGraphClient, graph: str) -> Run:
    async def run(number: int) -> Any:
        state: Any = await client.runs.wait(None, graph, input={"number": number})
        return state["result"]

    return run


if __name__ == "__main__":
    main(contend)
