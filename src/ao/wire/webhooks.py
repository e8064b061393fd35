"""Webhooks: what a receiver gets, and what the API says of deliveries."""

from datetime import datetime

from pydantic import Field, JsonValue

from ao.domain.run import RunState
from ao.domain.webhook import DeliveryState
from ao.wire.schemas import Response


class WebhookRun(Response):
    id: str
    agent: str
    environment: str
    state: RunState
    version: int | None
    attempt: int
    error: str | None
    input: JsonValue
    output: JsonValue
    omitted: list[str] = Field(description="Of `input` and `output`, what is too large for a webhook.")
    created_at: datetime
    finished_at: datetime


class WebhookEvent(Response):
    """The body of a delivery."""

    type: str = Field(examples=["run.completed"])
    timestamp: datetime = Field(description="When the run ended.")
    data: WebhookRun


class DeliveryView(Response):
    id: str = Field(description="The `webhook-id` of every try.")
    run_id: str
    agent: str
    url: str
    state: DeliveryState
    tries: int
    created_at: datetime
    due_at: datetime | None = Field(description="When it is tried again; null when it is not.")
    finished_at: datetime | None


class DeliveryTryView(Response):
    number: int
    at: datetime
    duration_us: int
    status: int | None = Field(description="Of the receiver's answer; null when there was none.")
    error: str | None


class DeliveryDetail(DeliveryView):
    attempts: list[DeliveryTryView]
