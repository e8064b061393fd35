"""Dead letters in the store."""

from collections.abc import Sequence
from typing import Protocol

from ao.ids import RunId
from ao.store.audit import NewAudit
from ao.store.dead_letter_records import DeadLetter, DeadLetterFilter, DeadLetterGroup


class DeadLetterStore(Protocol):
    """A run that fails for good becomes one in the write that ends it (`RunStore.finish`, `sweep`)."""

    async def list(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetter]:
        """Newest run first."""
        ...

    async def groups(self, where: DeadLetterFilter, limit: int) -> Sequence[DeadLetterGroup]:
        """By fingerprint and agent, the latest failure first."""
        ...

    async def get(self, run_id: RunId) -> DeadLetter:
        """The dead letter, or `NotFound`."""
        ...

    async def purge(
        self, where: DeadLetterFilter, before_us: int, limit: int, audit: NewAudit | None = None
    ) -> int:
        """Forget up to `limit` that failed before an instant, and the steps of their runs; returns how many."""
        ...
