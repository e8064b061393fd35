"""How large the database is, and with what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ao.ids import RunId


@dataclass(frozen=True, slots=True)
class TableSize:
    name: str
    rows: int | None
    """About; None when the database has not looked yet."""
    bytes: int | None
    """About, with indexes where the database knows."""


@dataclass(frozen=True, slots=True)
class Sizes:
    total_bytes: int
    reusable_bytes: int
    """Inside of the total: what was removed has left room for what comes."""
    tables: Sequence[TableSize]
    """The large ones, in the order of the schema."""
    first_run_us: int | None
    history_since_us: int | None
    """When the oldest run was created, of those looked at, that has its history still."""


class SizeStore(Protocol):
    async def measure(self, after: RunId | None) -> Sizes:
        """Sizes as the database estimates them: cheap however large it is. The oldest history is looked for
        from the run that follows `after`."""
        ...
