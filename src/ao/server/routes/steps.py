"""What runs have recorded: their steps."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ao.server.operations.steps import StepOperations, StepsQuery
from ao.server.replies import reply_list
from ao.server.route import Route
from ao.server.routes.parameters import RunIdText
from ao.server.services import Services
from ao.wire.steps import StepView


class StepRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = StepOperations(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=Route)
        add = router.add_api_route
        add("/{run_id}/steps", self.list_run_steps, methods=["GET"], response_model=list[StepView])
        return router

    async def list_run_steps(self, run_id: RunIdText, query: Annotated[StepsQuery, Query()]) -> Response:
        """Steps and spans in the order of their start; each names its parent."""
        return reply_list(await self._operations.list(run_id, query))
