"""Dead letters in the store."""

from collections.abc import Sequence
from typing import Protocol

from ao.domain.run import RunState
from ao.ids import RunId
from ao.store.audit import NewAudit
from ao.store.dead_letter_records import DeadLetter, DeadLetterFilter, DeadLetterGroup, RecordedSteps


class DeadLetterStore(Protocol):
    """A run that fails for good becomes one in the write that ends it (`RunStore.finish`, `sweep`)."""

    async def list(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetter]:
        """Newest run first, unless the filter says otherwise."""
        ...

    async def groups(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetterGroup]:
        """By fingerprint and agent, the latest failure first."""
        ...

    async def replays(self, where: DeadLetterFilter) -> dict[RunState, int]:
        """What became of the runs that were made of them (`open_only` does not count): how many by state."""
        ...

    async def recorded(self, where: DeadLetterFilter, limit: int) -> Sequence[RecordedSteps]:
        """What the first `limit` of `list` have recorded of steps, by the steps' names, in order."""
        ...

    async def get(self, run_id: RunId) -> DeadLetter:
        """The dead letter, or `NotFound`."""
        ...

    async def purge(
        self, where: DeadLetterFilter, before_us: int, limit: int, audit: NewAudit | None = None
    ) -> int:
        """Forget up to `limit` that failed before an instant, and the steps of their runs; returns how many."""
        ...
