"""The load that every contender gets: a fixed number of clients, each waiting for its result before its next.

Standard library only: it also runs inside the environments of other platforms.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

Run = Callable[[int], Awaitable[object]]
"""Submit work number n and return its result."""


class WrongResult(Exception):
    """A contender answered something else than what was asked."""


@dataclass
class Load:
    """What one loop saw."""

    concurrency: int
    seconds: list[float] = field(default_factory=list)
    """From before the submit until the result is there, in order of completion."""
    elapsed: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.elapsed


def expected(number: int) -> int:
    """The right result of the no-op number `number`; differs for every number."""
    return 2 * number + 1


async def drive(run: Run, numbers: range, concurrency: int, limit_seconds: float = float("inf")) -> Load:
    """Run `numbers` with `concurrency` clients. After `limit_seconds` nobody starts another one.

    Raises WrongResult.
    """
    load = Load(concurrency)
    started = time.perf_counter()
    waiting = iter(numbers)
    clients = (_client(run, waiting, load, started + limit_seconds) for _ in range(concurrency))
    await asyncio.gather(*clients)
    load.elapsed = time.perf_counter() - started
    return load


async def _client(run: Run, waiting: Iterator[int], load: Load, deadline: float) -> None:
    for number in waiting:
        before = time.perf_counter()
        result = await run(number)
        now = time.perf_counter()
        if result != expected(number):
            raise WrongResult(f"run {number} gave {result!r}, not {expected(number)}")
        load.seconds.append(now - before)
        if now > deadline:
            return
