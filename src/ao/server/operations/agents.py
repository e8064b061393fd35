"""Agents and their versions: what there is, what is live, what was."""

from collections.abc import Sequence

from pydantic import Field

from ao.control.deployments import NOT_RESTORED, RESTORED
from ao.server.operations.pages import cut, version_before
from ao.server.roles import Caller
from ao.server.routes.parameters import After, Limit, PageQuery
from ao.server.services import Services
from ao.server.uploads import Received
from ao.server.views import agent_view, build_log_line, deployment_view, pointer_move_view
from ao.wire.schemas import (
    MAX_VERSION,
    AgentView,
    BuildLogLine,
    DeploymentView,
    DiffView,
    Page,
    PointerMoveView,
    Request,
    RollbackRequest,
    RollbackView,
    Text,
)


class DiffQuery(Request):
    before: int = Field(ge=1, le=MAX_VERSION)
    after: int = Field(ge=1, le=MAX_VERSION)


class DeployQuery(Request):
    message: Text = Field("", max_length=1000, description="Why; shown with the version.")
    upgrade: bool = Field(False, description="Resolve dependencies anew.")


class LogQuery(Request):
    after: After = 0
    limit: Limit = 1000


class AgentOperations:
    def __init__(self, services: Services) -> None:
        self._deployments = services.deployments
        self._template = services.template

    async def list(self, caller: Caller) -> Sequence[AgentView]:
        agents = await self._deployments.agents()
        return [agent_view(agent) for agent in agents if caller.sees(agent.name)]

    async def get(self, agent: str) -> AgentView:
        return agent_view(await self._deployments.agent(agent))

    async def diff(self, agent: str, query: DiffQuery) -> DiffView:
        parts = list(await self._deployments.diff(agent, query.before, query.after))
        same = all(part.change == "same" for part in parts)
        return DiffView(agent=agent, before=query.before, after=query.after, same=same, parts=parts)

    async def rollback(self, caller: Caller, agent: str, body: RollbackRequest) -> RollbackView:
        move = await self._deployments.rollback(agent, body.to, body.reason, caller.actor)
        return RollbackView.model_construct(
            move=pointer_move_view(move), restored=list(RESTORED), not_restored=list(NOT_RESTORED)
        )

    async def history(self, agent: str) -> Sequence[PointerMoveView]:
        return [pointer_move_view(move) for move in await self._deployments.history(agent)]

    async def deploy(self, caller: Caller, agent: str, archive: Received, query: DeployQuery) -> DeploymentView:
        deployment = await self._deployments.deploy(
            agent,
            archive.path,
            archive.digest,
            actor=caller.actor,
            message=query.message,
            upgrade=query.upgrade,
        )
        return deployment_view(deployment, None)

    async def deployments(self, agent: str, query: PageQuery) -> Page[DeploymentView]:
        before = version_before(query.cursor)
        versions = await self._deployments.list(agent, before, query.limit + 1)
        found, more = cut(versions, query.limit, lambda deployment: deployment.version)
        stable = (await self._deployments.agent(agent)).stable
        items = [
            deployment_view(deployment, stable, self._template(agent, deployment.version))
            for deployment in found
        ]
        return Page[DeploymentView].model_construct(items=items, next=more)

    async def deployment(self, agent: str, version: int) -> DeploymentView:
        deployment = await self._deployments.get(agent, version)
        stable = (await self._deployments.agent(agent)).stable
        return deployment_view(deployment, stable, self._template(agent, version))

    async def build_log(self, agent: str, version: int, after: int, limit: int) -> Sequence[BuildLogLine]:
        deployment = await self._deployments.get(agent, version)
        lines = await self._deployments.log(deployment.id, after, limit)
        return [build_log_line(line) for line in lines]
