"""What runs have recorded: their steps."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from ao.ids import RunId
from ao.server.replies import reply_list
from ao.server.route import Route
from ao.server.routes.parameters import Limit, RunIdText
from ao.server.services import Services
from ao.server.step_views import step_view
from ao.wire.schemas import Request as Strict
from ao.wire.steps import StepView

MAX_OFFSET = 10_000_000


class StepsQuery(Strict):
    limit: Limit = 1000
    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="Leave out so many at the beginning.")
    outputs: bool = Field(False, description="With the results.")


class StepRoutes:
    def __init__(self, services: Services) -> None:
        self._steps = services.steps

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=Route)
        add = router.add_api_route
        add("/{run_id}/steps", self.list_run_steps, methods=["GET"], response_model=list[StepView])
        return router

    async def list_run_steps(self, run_id: RunIdText, query: Annotated[StepsQuery, Query()]) -> Response:
        """Steps and spans in the order of their start; each names its parent."""
        steps = await self._steps.list(RunId(run_id), query.limit, query.offset)
        if not query.outputs:
            return reply_list([step_view(step) for step in steps])
        return reply_list([step_view(step, await self._steps.output(step)) for step in steps])
