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

from ao.domain.run import RunState
from ao.store.dead_letter_records import DeadLetterFilter
from ao.store.question_records import QuestionFilter
from ao.store.records import RunFilter
from ao.store.sql.store import SqlStore
from ao.testing import postgres
from ao.testing.many_runs import AGENTS, VERSIONS, fill

PAGES = {
    "home": "/",
    "inbox": "/inbox",
    "answered questions": "/inbox/ended",
    "failures": "/failures",
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
PRIVATE = "private"


async def pages_of_one(store: SqlStore) -> dict[str, str]:
    """Of a run, a question and a group of failures."""
    (failed,) = await store.runs.list(RunFilter(states=[RunState.FAILED]), 1)
    (waiting,) = await store.runs.list(RunFilter(states=[RunState.PENDING]), 1)
    (group,) = await store.dead_letters.groups(DeadLetterFilter([AGENTS[0]]), 1)
    (question,) = await store.questions.list(QuestionFilter(), 1)
    letters = f"/agents/{AGENTS[0]}/failures/{group.fingerprint}"
    return {
        "failed run": f"/runs/{failed.id}",
        "waiting run": f"/runs/{waiting.id}",
        "question": f"/runs/{question.run_id}/questions/{question.id}",
        "one group of failures": letters,
        "replay of a group": f"{letters}/replay?count=1000",
    }


async def measure(server: Served, pages: dict[str, str], rounds: int) -> dict[str, dict[str, float]]:
    figures = {}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as http:
        await http.get((await server.json("POST", "/v1/login-links", status=201))["path"])
        for name, path in pages.items():
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
                "least_ms": round(own[0], 1),
                "median_ms": round(statistics.median(own), 1),
                "p95_ms": round(own[int(len(own) * 0.95)], 1),
                "cpu_ms": round(cpu_ms, 1),
                "bytes": len(answer.content),
            }
    return figures


async def run(url: str | None, runs: int, rounds: int) -> None:
    variables = {"AO_DATABASE_URL": url} if url else {}
    with tempfile.TemporaryDirectory(prefix="ao-bench-pages-") as name:
        async with served(Path(name), variables) as server:
            store = server.services.store
            assert isinstance(store, SqlStore)
            started = time.perf_counter()
            await fill(store, runs)
            print(f"{runs:,} runs made in {time.perf_counter() - started:.1f} s", file=sys.stderr)
            pages = PAGES | await pages_of_one(store)
            document = {"database": "postgresql" if url else "sqlite", "runs": runs}
            print(json.dumps({**document, "pages": await measure(server, pages, rounds)}, indent=2))


def main(options: argparse.Namespace) -> None:
    if options.postgres != PRIVATE:
        asyncio.run(run(options.postgres, options.runs, options.rounds))
        return
    with postgres.running(durable=True) as private:
        asyncio.run(run(private.url(private.create()), options.runs, options.rounds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--postgres",
        metavar="URL",
        nargs="?",
        const=PRIVATE,
        help="Default: a new server.",
    )
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    main(parser.parse_args())
