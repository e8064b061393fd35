"""Reading what runs have recorded of their steps."""

from collections.abc import Sequence

from pydantic import JsonValue

from ao.control.payloads import Payloads
from ao.domain.step import Step
from ao.ids import RunId
from ao.store import Store
from ao.store.records import Payload


class Steps:
    def __init__(self, store: Store, payloads: Payloads) -> None:
        self._store = store
        self._payloads = payloads

    async def list(self, run_id: RunId, limit: int, offset: int = 0) -> Sequence[Step]:
        """Steps and spans of a run in the order of their start: one that began anew comes after what
        is recorded inside of it. Raises NotFound."""
        await self._store.runs.get(run_id)
        return await self._store.steps.list(run_id, limit, offset)

    async def output(self, step: Step) -> JsonValue:
        """The recorded result; None while there is none."""
        return await self._payloads.value(Payload(step.value, step.value_blob))
