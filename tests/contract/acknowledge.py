"""Creates runs and prints each id once it is acknowledged: `acknowledge.py <database> <count> <at once>`."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ao.ids import new_run_id
from ao.store import Store
from ao.store.records import NewRun, Payload
from ao.store.sql import open_sqlite


async def main(path: Path, count: int, at_once: int) -> None:
    store = await open_sqlite(path)
    numbers = iter(range(count))
    await asyncio.gather(*(create(store, numbers) for _ in range(at_once)))
    await store.close()


async def create(store: Store, numbers: Iterator[int]) -> None:
    for _ in numbers:
        run = NewRun(new_run_id(), "support", "prod", Payload("{}"), "key:dev")
        await store.runs.create(run)
        os.write(1, f"{run.id}\n".encode())


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
