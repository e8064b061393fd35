"""Webhooks by the Standard Webhooks specification: what is signed, how, and when a delivery is tried again."""

import base64
import binascii
import hashlib
import hmac
from enum import StrEnum

from ao.domain.errors import InvalidInput, Problem

SECRET_PREFIX = "whsec_"  # noqa: S105 - marks what follows, is none itself
SECRET_BYTES = range(24, 65)
DELAYS_SECONDS = (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000)
"""After each failure but the last: the tries of a delivery span two days."""
SPREAD = 0.2
"""A delay is up to this much longer: a receiver that was down is not hit by everybody at once."""
GONE = 410
"""A receiver that answers this wants no more of it."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


def signing_key(secret: str) -> bytes:
    """The key in a secret, `whsec_` and base64 of 24 to 64 bytes. Raises InvalidInput, without the value."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in SECRET_BYTES or not secret.strip().startswith(SECRET_PREFIX):
        problem = Problem("webhook.secret", "is not the name of a signing secret")
        raise InvalidInput(
            "the webhook's secret is not whsec_ followed by the base64 of 24 to 64 bytes",
            hint='make one: echo "whsec_$(openssl rand -base64 32)" | ao secrets set NAME',
            problems=[problem],
        )
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header; `timestamp` is in seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def delay_seconds(tries: int, random: float, asked: float | None = None) -> float | None:
    """How long to wait after the failed try number `tries`; None when it was the last. `random` is in [0, 1);
    `asked` is what the receiver wants, which is heard up to a day."""
    if tries > len(DELAYS_SECONDS):
        return None
    return max(DELAYS_SECONDS[tries - 1] * (1 + SPREAD * random), min(asked or 0.0, 86_400.0))
