"""The processes that work on one store: which release each is of, and whether it may go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ao.ids import ProcessId

Role = Literal["server", "worker", "up"]

BEAT_SECONDS = 5.0
ALIVE_SECONDS = 20.0
"""After its last beat, a process counts as being at work for so long."""


@dataclass(frozen=True, slots=True)
class Process:
    id: ProcessId
    role: Role
    host: str
    version: str
    schema_known: str
    """Of its release; the store may have a newer one that says that it understands this."""
    started_us: int
    beat_us: int


class ProcessStore(Protocol):
    async def join(self, process_id: ProcessId, role: Role, host: str) -> None:
        """Be known to be at work. Raises `SchemaTooNew` when this release may not work on the store."""
        ...

    async def beat(self, process_id: ProcessId, role: Role, host: str) -> int:
        """Stay known; answers with the instant when all were last asked to tidy their homes, 0 for never.

        Raises `SchemaTooNew` when this release may not go on: it has to end.
        """
        ...

    async def ask_to_tidy(self) -> None: ...

    async def leave(self, process_id: ProcessId) -> None: ...

    async def list(self) -> Sequence[Process]:
        """Those at work, the oldest first."""
        ...
