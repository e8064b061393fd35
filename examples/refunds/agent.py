"""Pays refunds: small ones at once, large ones when a person has agreed."""

from typing import Any

from ao_runner import approve, idempotency_key, step

LIMIT_CENTS = 5_000
PATIENCE_SECONDS = 7 * 86_400


@step
def assess(order: str, cents: int) -> dict[str, Any]:
    """What a person needs to know to decide."""
    print(f"assessing {order}")
    return {"order": order, "cents": cents, "large": cents > LIMIT_CENTS}


@step(once=True)
def pay(order: str, cents: int) -> str:
    """Never twice: the payment service would be given this key, too."""
    print(f"paying {cents} cents for {order}")
    return f"payment-{idempotency_key()[:8]}"


def refund(request: dict[str, Any]) -> dict[str, Any]:
    case = assess(request["order"], request["cents"])
    approved_by = "policy"
    if case["large"]:
        decision = approve(
            f"Refund {case['cents']} cents for {case['order']}?", details=case, timeout=PATIENCE_SECONDS
        )
        if not decision:
            return {"paid": False, "why": decision.comment, "decided_by": decision.by}
        approved_by = decision.by
    return {"paid": True, "payment": pay(case["order"], case["cents"]), "approved_by": approved_by}
