"""What runs have recorded: their steps."""

from collections.abc import Sequence

from pydantic import Field

from ao.ids import RunId
from ao.server.routes.parameters import Limit
from ao.server.services import Services
from ao.server.step_views import step_view
from ao.wire.schemas import Request
from ao.wire.steps import StepView

MAX_OFFSET = 10_000_000


class StepsQuery(Request):
    limit: Limit = 1000
    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="Leave out so many at the beginning.")
    outputs: bool = Field(False, description="With the results.")


class StepOperations:
    def __init__(self, services: Services) -> None:
        self._steps = services.steps

    async def list(self, run_id: str, query: StepsQuery) -> Sequence[StepView]:
        steps = await self._steps.list(RunId(run_id), query.limit, query.offset)
        if not query.outputs:
            return [step_view(step) for step in steps]
        return [step_view(step, await self._steps.output(step)) for step in steps]
