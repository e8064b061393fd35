"""What a driver is asked to measure and how it answers: one JSON argument, one JSON file."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.closed_loop import Load, Run, drive

WARM_UP_RUNS = 1
NOOP = "noop"
SUBPROCESS = "subprocess"
CHILD = "import sys; print(2 * int(sys.argv[1]) + 1)"


@dataclass(frozen=True)
class Order:
    variant: str
    scratch: str
    """An empty directory that is removed afterwards; databases go here."""
    tasks: list[str]
    latency_runs: int
    burst_runs: int
    concurrency: int
    limit_seconds: float
    """After this long no further run of a loop is started."""
    first_number: int
    """Numbers from here on are this order's own, so that every result differs."""
    database_url: str = ""
    """The Postgres or the Redis of those who want one."""

    @property
    def directory(self) -> Path:
        return Path(self.scratch)

    def argument(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Measured:
    """Seconds from submit to result: one at a time, and with all clients at once."""

    alone: list[float]
    burst: list[float]
    burst_elapsed: float


@dataclass
class Answer:
    ready_seconds: float = 0.0
    """From the start of the driver until the first result."""
    tasks: dict[str, Measured] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Answer":
        document: dict[str, Any] = json.loads(text)
        tasks = {name: Measured(**measured) for name, measured in document["tasks"].items()}
        return cls(document["ready_seconds"], tasks)


Contender = Callable[[Order], AbstractAsyncContextManager[Mapping[str, Run]]]
"""Starts a platform and gives, by task, how a run is submitted and awaited."""


def in_subprocess(number: int) -> int:
    """The no-op in a Python process of its own: what users of un-isolated platforms write to get one."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(number)], stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def main(contender: Contender) -> None:
    """`python -m benchmarks.peers.drivers.<name> ORDER REPORT`."""
    order = Order(**json.loads(sys.argv[1]))
    answer = asyncio.run(measure(contender, order))
    Path(sys.argv[2]).write_text(json.dumps(asdict(answer)))


async def measure(contender: Contender, order: Order) -> Answer:
    answer = Answer()
    started = time.perf_counter()
    number = order.first_number
    async with contender(order) as runs:
        for task in order.tasks:
            await drive(runs[task], range(number, number + WARM_UP_RUNS), 1)
            answer.ready_seconds = answer.ready_seconds or time.perf_counter() - started
            number += WARM_UP_RUNS
            alone = await _loop(order, runs[task], number, order.latency_runs, 1)
            number += order.latency_runs
            burst = await _loop(order, runs[task], number, order.burst_runs, order.concurrency)
            number += order.burst_runs
            answer.tasks[task] = Measured(alone.seconds, burst.seconds, burst.elapsed)
    return answer


async def _loop(order: Order, run: Run, first: int, count: int, concurrency: int) -> Load:
    return await drive(run, range(first, first + count), concurrency, order.limit_seconds)
