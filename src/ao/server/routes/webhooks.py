"""Deliveries of webhooks: where they stand, every try, and once more."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from ao.clock import to_datetime
from ao.domain.webhook import DeliveryState
from ao.ids import DeliveryId, RunId
from ao.server.replies import bad_cursor, cursor, read_cursor, reply
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentFilter, Cursor, Limit, actor
from ao.server.services import Services
from ao.store.webhooks import Delivery, DeliveryFilter, DeliveryTry
from ao.wire.schemas import Page
from ao.wire.schemas import Request as Strict
from ao.wire.webhooks import DeliveryDetail, DeliveryTryView, DeliveryView

DeliveryIdText = Annotated[
    str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="The delivery's id.")
]


class DeliveriesQuery(Strict):
    agent: AgentFilter = None
    run: str | None = Field(None, max_length=100, description="Only of this run.")
    state: DeliveryState | None = None
    limit: Limit = 50
    cursor: Cursor = None


class WebhookRoutes:
    def __init__(self, services: Services) -> None:
        self._webhooks = services.webhooks

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=Route)
        add = router.add_api_route
        add("", self.list_webhooks, methods=["GET"], response_model=Page[DeliveryView])
        add("/{delivery_id}", self.get_webhook, methods=["GET"], response_model=DeliveryDetail)
        add("/{delivery_id}/replay", self.replay_webhook, methods=["POST"], response_model=DeliveryView)
        return router

    async def list_webhooks(self, request: Request, query: Annotated[DeliveriesQuery, Query()]) -> Response:
        """Deliveries, newest first."""
        before = read_cursor(query.cursor)
        if before is not None and len(before) != 36:
            raise bad_cursor()
        agents = caller_of(request).scope if query.agent is None else (query.agent,)
        where = DeliveryFilter(RunId(query.run) if query.run else None, query.state, agents, before)
        found = await self._webhooks.list(where, query.limit + 1)
        more = cursor(found[query.limit - 1].id) if len(found) > query.limit else None
        items = [delivery_view(delivery) for delivery in found[: query.limit]]
        return reply(Page[DeliveryView].model_construct(items=items, next=more))

    async def get_webhook(self, delivery_id: DeliveryIdText) -> Response:
        """One delivery with every try."""
        delivery, tries = await self._webhooks.get(DeliveryId(delivery_id))
        attempts = [_try_view(tried) for tried in tries]
        return reply(DeliveryDetail(**delivery_view(delivery).model_dump(), attempts=attempts))

    async def replay_webhook(self, request: Request, delivery_id: DeliveryIdText) -> Response:
        """Deliver once more, with the same `webhook-id`, from the start of the schedule."""
        return reply(delivery_view(await self._webhooks.replay(DeliveryId(delivery_id), actor(request))))


def delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        run_id=delivery.run_id,
        agent=delivery.agent,
        url=delivery.url,
        state=delivery.state,
        tries=delivery.tries,
        created_at=to_datetime(delivery.created_us),
        due_at=_moment(delivery.due_us),
        finished_at=_moment(delivery.finished_us),
    )


def _try_view(tried: DeliveryTry) -> DeliveryTryView:
    return DeliveryTryView.model_construct(
        number=tried.number,
        at=to_datetime(tried.at_us),
        duration_us=tried.duration_us,
        status=tried.status,
        error=tried.error,
    )


def _moment(instant_us: int | None) -> datetime | None:
    return None if instant_us is None else to_datetime(instant_us)
