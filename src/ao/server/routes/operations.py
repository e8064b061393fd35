"""Secrets, garbage and the server itself."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from ao.clock import to_datetime
from ao.control.logins import LINK_SECONDS
from ao.server.health import Readiness
from ao.server.operations.server import ServerOperations
from ao.server.replies import reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentFilter, actor
from ao.server.services import Services
from ao.server.views import secret_view
from ao.wire.schemas import GcView, LoginLinkView, SecretSet, SecretView, StatusView
from ao.wire.schemas import Request as Strict
from ao.wire.sizes import SizesView

SecretName = Annotated[
    str, Path(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", examples=["GITHUB_TOKEN"])
]


class AgentQuery(Strict):
    agent: AgentFilter = None


class GcQuery(Strict):
    dry_run: bool = Field(False, description="Only say what would be removed.")


class OperationRoutes:
    def __init__(self, services: Services, readiness: Readiness) -> None:
        self._services = services
        self._server = ServerOperations(services, readiness)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["operations"], route_class=Route)
        add = router.add_api_route
        add("/secrets", self.list_secrets, methods=["GET"], response_model=list[SecretView])
        add("/secrets/{name}", self.set_secret, methods=["PUT"], response_model=SecretView)
        add("/secrets/{name}", self.delete_secret, methods=["DELETE"], status_code=204, response_class=Response)
        add("/gc", self.collect_garbage, methods=["POST"], response_model=GcView)
        add(
            "/login-links",
            self.create_login_link,
            methods=["POST"],
            status_code=201,
            response_model=LoginLinkView,
        )
        add("/sizes", self.get_sizes, methods=["GET"], response_model=SizesView)
        add("/status", self.get_status, methods=["GET"], response_model=StatusView)
        return router

    async def list_secrets(self, request: Request, query: Annotated[AgentQuery, Query()]) -> Response:
        """Names of secrets; values never leave."""
        found = await self._services.secrets.list(query.agent)
        return reply_list([secret_view(secret) for secret in found if caller_of(request).sees(secret.agent)])

    async def set_secret(
        self, request: Request, name: SecretName, body: SecretSet, query: Annotated[AgentQuery, Query()]
    ) -> Response:
        """Set a secret for one agent, or without `agent` for all; runs that start from now on get it."""
        return reply(
            secret_view(await self._services.secrets.set(query.agent, name, body.value, actor(request)))
        )

    async def delete_secret(
        self, request: Request, name: SecretName, query: Annotated[AgentQuery, Query()]
    ) -> Response:
        """Remove a secret."""
        await self._services.secrets.delete(query.agent, name, actor(request))
        return Response(status_code=204)

    async def collect_garbage(self, request: Request, query: Annotated[GcQuery, Query()]) -> Response:
        """Remove environments, releases and blobs that nothing refers to."""
        collected = await self._services.deployments.gc(query.dry_run, actor(request))
        view = GcView(
            dry_run=query.dry_run,
            environments=collected.environments,
            releases=collected.releases,
            blobs=collected.blobs,
            freed_bytes=collected.freed_bytes,
        )
        return reply(view)

    async def create_login_link(self, request: Request) -> Response:
        """A link to the dashboard that logs in as the key that asks, once, within an hour."""
        path = await self._services.logins.offer(caller_of(request).key.id)
        until_us = await self._services.store.schedules.now_us() + LINK_SECONDS * 1_000_000
        return reply(LoginLinkView(path=path, expires_at=to_datetime(until_us)), 201)

    async def get_sizes(self) -> Response:
        """How large the database and the blobs are, and how old."""
        return reply(await self._server.sizes())

    async def get_status(self) -> Response:
        """What this server is, and how it is."""
        return reply(await self._server.status())
