"""What an execution is told of the steps that earlier ones have recorded."""

import json

from ao.control.payloads import Payloads
from ao.domain.step import Step
from ao.ids import RunId
from ao.store import StepStore
from ao.store.records import Claim, Payload

MAX_STEPS = 1_000
MAX_BYTES = 1 << 20
"""What exceeds these is not sent along: the runner asks for each when it comes to it."""


async def recall(
    steps: StepStore, claim: Claim, step_timeout: float | None, booted_us: int | None
) -> dict[str, object]:
    """`steps` of the runner protocol. The first execution of a run has nothing to ask the store for."""
    known = await steps.recorded(claim.run_id, MAX_STEPS + 1) if claim.attempt > 1 or claim.forked else []
    sent: list[dict[str, object]] = []
    size = 0
    for step in known[:MAX_STEPS]:
        size += len(step.value or "")
        sent.append(_record(step, step.value if size <= MAX_BYTES else None))
    more = len(known) > MAX_STEPS
    booted = {} if booted_us is None else {"booted_us": booted_us}
    return {"run_id": claim.run_id, "recorded": sent, "more": more, "timeout": step_timeout, **booted}


async def look_up(steps: StepStore, payloads: Payloads, run_id: RunId, path: str) -> dict[str, object] | None:
    """One step's record in full."""
    step = await steps.get(run_id, path)
    if step is None or not step.binding:
        return None
    return _record(step, await payloads.text(Payload(step.value, step.value_blob)))


def _record(step: Step, text: str | None) -> dict[str, object]:
    record: dict[str, object] = {
        "path": step.path,
        "fingerprint": step.fingerprint,
        "state": str(step.state),
    }
    if text is not None:
        return {**record, "value": json.loads(text)}
    return {**record, "elsewhere": True} if step.completed else record
