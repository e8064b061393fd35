"""The log of one build, as a stream reads it."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ao.control.deployments import Deployments
from ao.domain.deployment import DeploymentStatus
from ao.server.stream import Batch
from ao.store.records import Deployment

T = TypeVar("T")

LINES_PER_BATCH = 500

BuildLine = tuple[int, int, str]
"""(seq, at_us, text)."""


class BuildEvents(Generic[T]):
    """Lines as frames; `to_end` makes the last one, for whoever joins late, too."""

    def __init__(
        self,
        deployments: Deployments,
        deployment: Deployment,
        to_frame: Callable[[BuildLine], T],
        to_end: Callable[[Deployment], Awaitable[T]] | None = None,
    ) -> None:
        self._deployments = deployments
        self._deployment = deployment
        self._to_frame = to_frame
        self._to_end = to_end

    async def read(self, after: int) -> Batch[T]:
        over_before = self._deployment.status is not DeploymentStatus.BUILDING  # then all lines are there
        lines = await self._deployments.log(self._deployment.id, after, LINES_PER_BATCH)
        if lines:
            return Batch([self._to_frame(line) for line in lines], lines[-1][0], ended=False, full=True)
        if over_before:
            end = [await self._to_end(self._deployment)] if self._to_end else []
            return Batch(end, after, ended=True)
        self._deployment = await self._deployments.get_by_id(self._deployment.id)
        return Batch((), after, ended=False, full=self._deployment.status is not DeploymentStatus.BUILDING)
