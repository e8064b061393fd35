"""AO as shipped, or with cold starts only, under the same order as the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ao.client.api import Client
from benchmarks import agents
from benchmarks.ao_up import ao_up
from benchmarks.closed_loop import Run
from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, Order, main
from benchmarks.plan import SETTINGS
from benchmarks.submit import Agent, Http


@asynccontextmanager
async def contend(order: Order) -> AsyncIterator[dict[str, Run]]:
    settings = SETTINGS if order.variant == "shipped" else {**SETTINGS, "AO_WARM": "off"}
    with ao_up(order.directory, settings) as server, Client(server.url, server.key) as client:
        for name in (agents.NOOP, agents.CHILD):
            project = agents.write(order.directory, name, warm=True)
            await asyncio.to_thread(_deploy, client, project)
        http = Http(server.port, server.key)
        yield {NOOP: Agent(http, agents.NOOP).result, SUBPROCESS: Agent(http, agents.CHILD).result}
        await http.close()


def _deploy(client: Client, project: Path) -> None:
    client.deploy(project).wait()


if __name__ == "__main__":
    main(contend)
