"""`ao.v1.AgentService`: agents and their versions."""

from collections.abc import Sequence

from ao.bus import build_topic
from ao.server.build_events import BuildEvents, BuildLine
from ao.server.grpc.messages import write
from ao.server.grpc.methods import Call, Method, Service, answer, items
from ao.server.grpc.requests import Nothing, OfAgent, Version
from ao.server.grpc.uploads import Archive, Intake
from ao.server.operations.agents import AgentOperations, DeployQuery, DiffQuery
from ao.server.routes.parameters import After, PageQuery
from ao.server.services import Services
from ao.server.stream import follow
from ao.server.views import build_log_line
from ao.store.records import Deployment
from ao.v1 import agents_pb2 as pb
from ao.wire.schemas import DeploymentView, RollbackRequest


class RollbackAgent(OfAgent, RollbackRequest):
    """Which agent, to where."""


class CreateDeployment(OfAgent, DeployQuery, Archive):
    """Which agent, and the archive's beginning."""


class ListDeployments(OfAgent, PageQuery):
    """A page of versions."""


class GetDeployment(OfAgent):
    version: Version


class WatchBuild(GetDeployment):
    after: After = 0


class GetDiff(OfAgent, DiffQuery):
    """Which versions."""


def agent_service(services: Services) -> Service:
    agents = AgentOperations(services)
    intake = Intake(services)

    async def deploy(call: Call, asked: CreateDeployment) -> DeploymentView:
        return await intake.use(
            call, asked, lambda archive: agents.deploy(call.caller, asked.agent, archive, asked)
        )

    async def watch(call: Call, asked: WatchBuild) -> None:
        async def send(updates: Sequence[pb.BuildUpdate]) -> None:
            for update in updates:
                await call.send(update)

        async def last(deployment: Deployment) -> pb.BuildUpdate:
            view = await agents.deployment(deployment.agent, deployment.version)
            return pb.BuildUpdate(deployment=write(view, pb.Deployment))

        deployment = await services.deployments.get(asked.agent, asked.version)
        source = BuildEvents(services.deployments, deployment, _line, last)
        await follow(source.read, asked.after, services.bus, build_topic(deployment.id), send)

    return {
        "ListAgents": Method("list_agents", Nothing, items(lambda caller, _: agents.list(caller))),
        "GetAgent": Method("get_agent", OfAgent, answer(lambda _, asked: agents.get(asked.agent))),
        "RollbackAgent": Method(
            "rollback_agent",
            RollbackAgent,
            answer(lambda caller, asked: agents.rollback(caller, asked.agent, asked)),
        ),
        "ListPointerHistory": Method(
            "list_pointer_history", OfAgent, items(lambda _, asked: agents.history(asked.agent))
        ),
        "CreateDeployment": Method("create_deployment", CreateDeployment, deploy, waits=True),
        "ListDeployments": Method(
            "list_deployments", ListDeployments, answer(lambda _, asked: agents.deployments(asked.agent, asked))
        ),
        "GetDeployment": Method(
            "get_deployment",
            GetDeployment,
            answer(lambda _, asked: agents.deployment(asked.agent, asked.version)),
        ),
        "WatchBuild": Method("get_deployment_log", WatchBuild, watch),
        "GetDiff": Method("get_diff", GetDiff, answer(lambda _, asked: agents.diff(asked.agent, asked))),
    }


def _line(line: BuildLine) -> pb.BuildUpdate:
    return pb.BuildUpdate(line=write(build_log_line(line), pb.BuildLogLine))
