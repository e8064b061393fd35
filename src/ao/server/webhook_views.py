"""Deliveries of webhooks as the API shows them."""

from collections.abc import Sequence
from typing import Any

from ao.clock import to_datetime
from ao.server.views import moment
from ao.store.webhooks import Delivery, DeliveryTry
from ao.wire.webhooks import DeliveryDetail, DeliveryTryView, DeliveryView


def delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView.model_construct(**_fields(delivery))


def delivery_detail(delivery: Delivery, tries: Sequence[DeliveryTry]) -> DeliveryDetail:
    attempts = [_try_view(tried) for tried in tries]
    return DeliveryDetail.model_construct(**_fields(delivery), attempts=attempts)


def _fields(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "run_id": delivery.run_id,
        "agent": delivery.agent,
        "url": delivery.url,
        "state": delivery.state,
        "tries": delivery.tries,
        "created_at": to_datetime(delivery.created_us),
        "due_at": moment(delivery.due_us),
        "finished_at": moment(delivery.finished_us),
    }


def _try_view(tried: DeliveryTry) -> DeliveryTryView:
    return DeliveryTryView.model_construct(
        number=tried.number,
        at=to_datetime(tried.at_us),
        duration_us=tried.duration_us,
        status=tried.status,
        error=tried.error,
    )
