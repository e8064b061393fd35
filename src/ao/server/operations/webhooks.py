"""Deliveries of webhooks: where they stand, every try, and once more."""

from pydantic import Field

from ao.domain.webhook import DeliveryState
from ao.ids import DeliveryId, RunId
from ao.server.operations.pages import cut, id_before
from ao.server.roles import Caller
from ao.server.routes.parameters import AgentFilter, Cursor, Limit
from ao.server.services import Services
from ao.server.webhook_views import delivery_detail, delivery_view
from ao.store.webhooks import DeliveryFilter
from ao.wire.schemas import Page, Request
from ao.wire.webhooks import DeliveryDetail, DeliveryView


class DeliveriesQuery(Request):
    agent: AgentFilter = None
    run: str | None = Field(None, max_length=100, description="Only of this run.")
    state: DeliveryState | None = None
    limit: Limit = 50
    cursor: Cursor = None


class WebhookOperations:
    def __init__(self, services: Services) -> None:
        self._webhooks = services.webhooks

    async def list(self, caller: Caller, query: DeliveriesQuery) -> Page[DeliveryView]:
        agents = caller.scope if query.agent is None else (query.agent,)
        run = RunId(query.run) if query.run else None
        where = DeliveryFilter(run, query.state, agents, id_before(query.cursor))
        deliveries = await self._webhooks.list(where, query.limit + 1)
        found, more = cut(deliveries, query.limit, lambda each: each.id)
        return Page[DeliveryView].model_construct(items=[delivery_view(each) for each in found], next=more)

    async def get(self, delivery_id: str) -> DeliveryDetail:
        return delivery_detail(*await self._webhooks.get(DeliveryId(delivery_id)))

    async def replay(self, caller: Caller, delivery_id: str) -> DeliveryView:
        return delivery_view(await self._webhooks.replay(DeliveryId(delivery_id), caller.actor))
