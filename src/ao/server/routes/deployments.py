"""Deployments: upload, follow the build, look at versions."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from ao.bus import build_topic
from ao.domain.errors import UsageError
from ao.server.build_events import BuildEvents, BuildLine
from ao.server.failures import problem_response
from ao.server.operations.agents import AgentOperations, DeployQuery, LogQuery
from ao.server.replies import encode, reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentName, PageQuery, Version
from ao.server.services import Services
from ao.server.stream import DOCUMENTED, EventStream, frame, resume_after, wants_stream
from ao.server.uploads import MEDIA_TYPES, Uploads
from ao.server.views import build_log_line, deployment_view
from ao.store.records import Deployment
from ao.wire.schemas import BuildLogLine, DeploymentView, Page


def upload_of(description: str) -> dict[str, Any]:
    """What OpenAPI is told of an operation that takes an archive."""
    digest = {
        "name": "Content-Digest",
        "in": "header",
        "required": True,
        "description": "sha-256 of the body (RFC 9530).",
        "schema": {"type": "string", "pattern": "^sha-256=:[A-Za-z0-9+/]{43}=:$"},
    }
    content = {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}}
    body = {"required": True, "description": description, "content": content}
    return {"requestBody": body, "parameters": [digest]}


class DeploymentRoutes:
    def __init__(self, services: Services, uploads: Uploads) -> None:
        self._deployments = services.deployments
        self._operations = AgentOperations(services)
        self._uploads = uploads
        self._bus = services.bus
        self._closing = services.closing

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/agents/{agent}/deployments", tags=["deployments"], route_class=Route)
        add = router.add_api_route
        view = DeploymentView
        add(
            "",
            self.create_deployment,
            methods=["POST"],
            status_code=201,
            response_model=view,
            openapi_extra=upload_of("The packed project, as `ao deploy` makes it."),
        )
        add("", self.list_deployments, methods=["GET"], response_model=Page[DeploymentView])
        add("/{version}", self.get_deployment, methods=["GET"], response_model=DeploymentView)
        lines = list[BuildLogLine]
        add("/{version}/log", self.get_deployment_log, methods=["GET"], response_model=lines, **DOCUMENTED)
        return router

    async def create_deployment(
        self, request: Request, agent: AgentName, query: Annotated[DeployQuery, Query()]
    ) -> Response:
        """Upload a project: it is checked, numbered and answered as `building`; the build goes on by itself."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in MEDIA_TYPES:
            hint = "send `Content-Type: application/x-tar`"
            return problem_response(UsageError("the upload is not declared as a tar archive", hint=hint), 415)
        async with self._uploads.receive(request) as upload:
            return reply(await self._operations.deploy(caller_of(request), agent, upload, query), 201)

    async def list_deployments(self, agent: AgentName, query: Annotated[PageQuery, Query()]) -> Response:
        """Versions of an agent, newest first."""
        return reply(await self._operations.deployments(agent, query))

    async def get_deployment(self, agent: AgentName, version: Version) -> Response:
        """One version: its status, parts and configuration."""
        return reply(await self._operations.deployment(agent, version))

    async def get_deployment_log(
        self, request: Request, agent: AgentName, version: Version, query: Annotated[LogQuery, Query()]
    ) -> Response:
        """The build log: as JSON, or with `Accept: text/event-stream` live (`event: line`, then `status`)."""
        after = resume_after(request, query.after)
        if wants_stream(request):
            deployment = await self._deployments.get(agent, version)
            source = BuildEvents(self._deployments, deployment, _line_frame, self._status_frame)
            return EventStream(source.read, after, self._bus, build_topic(deployment.id), self._closing)
        return reply_list(await self._operations.build_log(agent, version, after, query.limit))

    async def _status_frame(self, deployment: Deployment) -> bytes:
        stable = (await self._deployments.agent(deployment.agent)).stable
        return frame("status", None, encode(deployment_view(deployment, stable)))


def _line_frame(line: BuildLine) -> bytes:
    return frame("line", line[0], encode(build_log_line(line)))
