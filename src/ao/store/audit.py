"""The audit log: its entries and its store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NewAudit:
    """One change, to be written in the transaction that makes it."""

    actor: str
    action: str
    """What was done, such as `key.create`."""
    target: str
    """To what: a kind and a name, such as `secret:TOKEN`."""
    agent: str
    """The agent that it concerns; empty for the whole server."""
    details: str
    """JSON object."""
    source: str
    """Address that the request came from; empty for the server itself."""
    request_id: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Audit:
    id: str
    at_us: int
    entry: NewAudit


@dataclass(frozen=True, slots=True)
class AuditFilter:
    actor: str | None = None
    action: str | None = None
    """Exactly, or with its dot at the end all of a kind: `key.`."""
    agent: str | None = None
    target: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    before: str | None = None
    """Keyset cursor: only entries with a smaller id."""


class AuditStore(Protocol):
    """Who changed what. Entries are never changed; methods that take a `NewAudit` write it in the transaction
    of their change."""

    async def append(self, entry: NewAudit) -> None:
        """For what is changed outside of the store."""
        ...

    async def list(self, where: AuditFilter, limit: int) -> Sequence[Audit]:
        """Newest first."""
        ...
