"""Agents: what there is, what is live, what was."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from ao.control.deployments import NOT_RESTORED, RESTORED
from ao.server.replies import reply, reply_list
from ao.server.roles import sees
from ao.server.route import Route
from ao.server.routes.parameters import AgentName, actor
from ao.server.services import Services
from ao.server.views import agent_view, pointer_move_view
from ao.wire.schemas import MAX_VERSION, AgentView, DiffView, PointerMoveView, RollbackRequest, RollbackView
from ao.wire.schemas import Request as Strict


class DiffQuery(Strict):
    before: int = Field(ge=1, le=MAX_VERSION)
    after: int = Field(ge=1, le=MAX_VERSION)


class AgentRoutes:
    def __init__(self, services: Services) -> None:
        self._deployments = services.deployments

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
        agents = await self._deployments.agents()
        return reply_list([agent_view(agent) for agent in agents if sees(request, agent.name)])

    async def get_agent(self, agent: AgentName) -> Response:
        """One agent and the versions that its pointers name."""
        return reply(agent_view(await self._deployments.agent(agent)))

    async def get_diff(self, agent: AgentName, query: Annotated[DiffQuery, Query()]) -> Response:
        """What changed from one version to another, part by part; text files line by line."""
        parts = list(await self._deployments.diff(agent, query.before, query.after))
        same = all(part.change == "same" for part in parts)
        return reply(DiffView(agent=agent, before=query.before, after=query.after, same=same, parts=parts))

    async def rollback_agent(self, request: Request, agent: AgentName, body: RollbackRequest) -> Response:
        """Make an earlier version live: a flip of a pointer, without build or download."""
        move = await self._deployments.rollback(agent, body.to, body.reason, actor(request))
        view = RollbackView.model_construct(
            move=pointer_move_view(move), restored=list(RESTORED), not_restored=list(NOT_RESTORED)
        )
        return reply(view)

    async def list_pointer_history(self, agent: AgentName) -> Response:
        """What was live when, and who changed it; newest first."""
        return reply_list([pointer_move_view(move) for move in await self._deployments.history(agent)])
