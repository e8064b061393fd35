"""Which of a worker's GPUs each of its runs has: never one that another has."""

import asyncio
from collections.abc import Sequence

from ao.domain.errors import SandboxError


class Devices:
    def __init__(self, numbers: Sequence[int]) -> None:
        """As the driver numbers them."""
        self._count = len(numbers)
        self._free = sorted(numbers)
        self._returned = asyncio.Condition()

    async def take(self, count: int) -> Sequence[int]:
        """The lowest ones that are free; waits for those of a run that is just ending. SandboxError when there
        are not so many."""
        if count > self._count:
            raise SandboxError(
                f"the run needs {count} GPUs, and this worker has {self._count}",
                hint="AO_WORKER_GPUS says how many it has",
            )
        async with self._returned:
            await self._returned.wait_for(lambda: len(self._free) >= count)
            taken, self._free = self._free[:count], self._free[count:]
        return tuple(taken)

    async def give_back(self, numbers: Sequence[int]) -> None:
        """The sandbox that had them is gone."""
        async with self._returned:
            self._free = sorted([*self._free, *numbers])
            self._returned.notify_all()
