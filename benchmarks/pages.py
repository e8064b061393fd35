"""How long the dashboard's pages take: `python -m benchmarks.pages [--postgres URL] [--runs N]` prints JSON.

The pages are asked over loopback HTTP, one after the other, of a server with that many runs; its duties go on.
Milliseconds until the last byte, compressed, beside the CPU time of the process for one page.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from tests.served import Served, served

from ao.store.sql.store import SqlStore
from ao.testing.many_runs import AGENTS, VERSIONS, fill

PAGES = {
    "home": "/",
    "agents": "/agents",
    "agent": f"/agents/{AGENTS[0]}",
    "deployments": "/deployments",
    "deployment": f"/agents/{AGENTS[0]}/deployments/{VERSIONS}",
    "runs": "/runs",
    "failed runs": "/runs?state=failed",
    "search that finds": "/runs?q=customer_id",
    "search that finds nothing": "/runs?q=nothing",
    "version of one agent": f"/runs?agent={AGENTS[1]}&version=1",
    "schedules": "/schedules",
}
WARM_UP = 3


async def measure(server: Served, rounds: int) -> dict[str, dict[str, float]]:
    figures = {}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as http:
        await http.get((await server.json("POST", "/v1/login-links", status=201))["path"])
        for name, path in PAGES.items():
            took_ms, cpu = [], 0.0
            for number in range(WARM_UP + rounds):
                if number == WARM_UP:
                    cpu = time.process_time()
                started = time.perf_counter()
                answer = await http.get(f"/ui{path}")
                took_ms.append((time.perf_counter() - started) * 1000)
                assert answer.status_code == 200, answer.text
            cpu_ms = (time.process_time() - cpu) * 1000 / rounds
            own = sorted(took_ms[WARM_UP:])
            figures[name] = {
                "median_ms": round(statistics.median(own), 1),
                "p95_ms": round(own[int(len(own) * 0.95)], 1),
                "cpu_ms": round(cpu_ms, 1),
                "bytes": len(answer.content),
            }
    return figures


async def run(postgres: str | None, runs: int, rounds: int) -> None:
    variables = {"AO_DATABASE_URL": postgres} if postgres else {}
    with tempfile.TemporaryDirectory(prefix="ao-bench-pages-") as name:
        async with served(Path(name), variables) as server:
            store = server.services.store
            assert isinstance(store, SqlStore)
            started = time.perf_counter()
            await fill(store, runs)
            print(f"{runs:,} runs made in {time.perf_counter() - started:.1f} s", file=sys.stderr)
            document = {"database": "postgresql" if postgres else "sqlite", "runs": runs}
            print(json.dumps({**document, "pages": await measure(server, rounds)}, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", metavar="URL")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    asyncio.run(run(options.postgres, options.runs, options.rounds))
