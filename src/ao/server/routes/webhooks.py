"""Deliveries of webhooks: where they stand, every try, and once more."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ao.server.operations.webhooks import DeliveriesQuery, WebhookOperations
from ao.server.replies import reply
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.services import Services
from ao.wire.schemas import Page
from ao.wire.webhooks import DeliveryDetail, DeliveryView

DeliveryIdText = Annotated[
    str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="The delivery's id.")
]


class WebhookRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = WebhookOperations(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=Route)
        add = router.add_api_route
        add("", self.list_webhooks, methods=["GET"], response_model=Page[DeliveryView])
        add("/{delivery_id}", self.get_webhook, methods=["GET"], response_model=DeliveryDetail)
        add("/{delivery_id}/replay", self.replay_webhook, methods=["POST"], response_model=DeliveryView)
        return router

    async def list_webhooks(self, request: Request, query: Annotated[DeliveriesQuery, Query()]) -> Response:
        """Deliveries, newest first."""
        return reply(await self._operations.list(caller_of(request), query))

    async def get_webhook(self, delivery_id: DeliveryIdText) -> Response:
        """One delivery with every try."""
        return reply(await self._operations.get(delivery_id))

    async def replay_webhook(self, request: Request, delivery_id: DeliveryIdText) -> Response:
        """Deliver once more, with the same `webhook-id`, from the start of the schedule."""
        return reply(await self._operations.replay(caller_of(request), delivery_id))
