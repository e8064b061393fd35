"""Agents: what there is, what is live, what was."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ao.server.operations.agents import AgentOperations, DiffQuery
from ao.server.replies import reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentName
from ao.server.services import Services
from ao.wire.schemas import AgentView, DiffView, PointerMoveView, RollbackRequest, RollbackView


class AgentRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = AgentOperations(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/agents", tags=["agents"], route_class=Route)
        add = router.add_api_route
        add("", self.list_agents, methods=["GET"], response_model=list[AgentView])
        add("/{agent}", self.get_agent, methods=["GET"], response_model=AgentView)
        add("/{agent}/diff", self.get_diff, methods=["GET"], response_model=DiffView)
        add("/{agent}/rollback", self.rollback_agent, methods=["POST"], response_model=RollbackView)
        add(
            "/{agent}/history", self.list_pointer_history, methods=["GET"], response_model=list[PointerMoveView]
        )
        return router

    async def list_agents(self, request: Request) -> Response:
        """Every agent that was ever deployed."""
        return reply_list(await self._operations.list(caller_of(request)))

    async def get_agent(self, agent: AgentName) -> Response:
        """One agent and the versions that its pointers name."""
        return reply(await self._operations.get(agent))

    async def get_diff(self, agent: AgentName, query: Annotated[DiffQuery, Query()]) -> Response:
        """What changed from one version to another, part by part; text files line by line."""
        return reply(await self._operations.diff(agent, query))

    async def rollback_agent(self, request: Request, agent: AgentName, body: RollbackRequest) -> Response:
        """Make an earlier version live: a flip of a pointer, without build or download."""
        return reply(await self._operations.rollback(caller_of(request), agent, body))

    async def list_pointer_history(self, agent: AgentName) -> Response:
        """What was live when, and who changed it; newest first."""
        return reply_list(await self._operations.history(agent))
