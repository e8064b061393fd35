"""The outbox of webhooks: deliveries, their tries, and their store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ao.domain.webhook import DeliveryState
from ao.ids import DeliveryId, RunId
from ao.store.audit import NewAudit
from ao.store.records import Webhook


@dataclass(frozen=True, slots=True)
class Delivery:
    """The end of one run, on its way to one receiver."""

    id: DeliveryId
    run_id: RunId
    agent: str
    url: str
    secret: str
    state: DeliveryState
    created_us: int
    due_us: int | None
    """When it is tried next; while it is being tried, when it is taken by another server."""
    tries: int
    """Since it was made or replayed; the present one included."""
    finished_us: int | None


@dataclass(frozen=True, slots=True)
class DeliveryTry:
    number: int
    at_us: int
    duration_us: int
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    run_id: RunId | None = None
    state: DeliveryState | None = None
    agents: Sequence[str] = ()
    """Empty means all."""
    before: str | None = None
    """Keyset cursor."""


class WebhookStore(Protocol):
    """The outbox. A delivery is written with the terminal transition of a run that was made with a webhook."""

    async def of_run(self, run_id: RunId) -> Webhook | None:
        """Whom the end of a run is told; None for nobody, or when retention has removed it."""
        ...

    async def take_due(self, limit: int, lease_us: int) -> Sequence[Delivery]:
        """Deliveries that are due, each for one taker until `lease_us` from now; counts a try of each."""
        ...

    async def record(
        self, delivery_id: DeliveryId, tried: DeliveryTry, state: DeliveryState, due_us: int | None
    ) -> None:
        """How a try went. Refused as stale when the delivery was replayed or taken again meanwhile."""
        ...

    async def list(self, where: DeliveryFilter, limit: int) -> Sequence[Delivery]:
        """Newest first."""
        ...

    async def get(self, delivery_id: DeliveryId) -> tuple[Delivery, Sequence[DeliveryTry]]: ...

    async def replay(self, delivery_id: DeliveryId, audit: NewAudit | None = None) -> Delivery:
        """Make it due now, as if it had never been tried; the list of its tries stays."""
        ...
