"""Restate: its server, and the service that it calls in a Hypercorn of its own. Variants: shipped, tuned.

Tuned: few partitions for few cores, and the same small HTTP client that AO's load has instead of the SDK's.
"""

import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import restate

from benchmarks.closed_loop import Run
from benchmarks.peers.drivers import restate_service
from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, Order, main
from benchmarks.peers.drivers.servers import accepts, free_port, running, until_ready
from benchmarks.submit import Http

PROGRAM = "node_modules/@restatedev/restate-server-*/bin/restate-server"
TUNED = {"RESTATE_DEFAULT_NUM_PARTITIONS": "2", "RESTATE_LOG_FILTER": "warn"}
QUIET = {"RESTATE_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
Handler = Callable[[restate.Context, dict[str, int]], Coroutine[Any, Any, int]]


@asynccontextmanager
async def contend(order: Order) -> AsyncIterator[dict[str, Run]]:
    tuned = order.variant == "tuned"
    ingress = free_port()
    async with AsyncExitStack() as stack:
        service = await _service(stack, order.directory)
        admin = await _server(stack, order.directory, ingress, TUNED if tuned else {})
        await _register(admin, service)
        if tuned:
            http = Http(ingress, key="")
            stack.push_async_callback(http.close)
            yield {name: _posted(http, name) for name in (NOOP, SUBPROCESS)}
        else:
            client = await stack.enter_async_context(restate.create_client(f"http://127.0.0.1:{ingress}"))
            yield {
                NOOP: _called(client, restate_service.noop),
                SUBPROCESS: _called(client, restate_service.own_process),
            }


async def _service(stack: AsyncExitStack, directory: Path) -> str:
    """Start what Restate calls; its URL."""
    port, log = free_port(), directory / "service.log"
    bind = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "hypercorn", f"{restate_service.__name__}:app", "--bind", bind]
    process = stack.enter_context(running(command, log))
    await until_ready(process, log, lambda: accepts(port))
    return f"http://{bind}"


async def _server(stack: AsyncExitStack, directory: Path, ingress: int, settings: dict[str, str]) -> str:
    """Start Restate; the URL of its admin API."""
    admin, log = f"127.0.0.1:{free_port()}", directory / "server.log"
    environ = {
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": admin,
        **QUIET,
        **settings,
    }
    process = stack.enter_context(running(_command(directory / "restate"), log, environ))
    await until_ready(process, log, lambda: _healthy(f"http://{admin}/health"))
    await until_ready(process, log, lambda: _healthy(f"http://127.0.0.1:{ingress}/restate/health"))
    return f"http://{admin}"


def _command(base: Path) -> list[str]:
    found = list(Path(sys.prefix).glob(PROGRAM))
    if not found:
        raise RuntimeError(f"no restate-server for this machine below {sys.prefix}/node_modules")
    options = {
        "--base-dir": str(base),
        "--node-name": "benchmark",
        "--listen-mode": "tcp",
        "--bind-ip": "127.0.0.1",
        "--bind-port": str(free_port()),
    }
    return [str(found[0]), "--no-logo", *(each for option in options.items() for each in option)]


async def _healthy(url: str) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(url)).status_code == 200
        except httpx.TransportError:
            return False


async def _register(admin: str, service: str) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        (await client.post(f"{admin}/deployments", json={"uri": service})).raise_for_status()


def _called(client: restate.RestateClient, handler: Handler) -> Run:
    async def run(number: int) -> Any:
        return await client.service_call(handler, {"number": number})

    return run


def _posted(http: Http, handler: str) -> Run:
    async def run(number: int) -> Any:
        return await http.post(f"/{restate_service.NAME}/{handler}", {"number": number})

    return run


if __name__ == "__main__":
    main(contend)
