"""`ao.v1.WebhookService`: deliveries to receivers."""

from pydantic import Field

from ao.server.grpc.methods import Method, Service, answer
from ao.server.grpc.requests import RUN_ID
from ao.server.operations.webhooks import DeliveriesQuery, WebhookOperations
from ao.server.services import Services
from ao.wire.schemas import Request


class OfDelivery(Request):
    delivery_id: str = Field(pattern=RUN_ID)


def webhook_service(services: Services) -> Service:
    webhooks = WebhookOperations(services)
    get = answer(lambda _, asked: webhooks.get(asked.delivery_id))
    replay = answer(lambda caller, asked: webhooks.replay(caller, asked.delivery_id))
    return {
        "ListWebhooks": Method("list_webhooks", DeliveriesQuery, answer(webhooks.list)),
        "GetWebhook": Method("get_webhook", OfDelivery, get),
        "ReplayWebhook": Method("replay_webhook", OfDelivery, replay),
    }
