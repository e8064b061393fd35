"""Secrets, garbage and the server itself."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ao.clock import to_datetime
from ao.control.logins import LINK_SECONDS
from ao.server.health import Readiness
from ao.server.operations.secrets import SecretOperations, SecretsQuery
from ao.server.operations.server import GcQuery, ServerOperations
from ao.server.replies import reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.services import Services
from ao.wire.schemas import ENV_NAME, GcView, LoginLinkView, SecretSet, SecretView, StatusView
from ao.wire.sizes import SizesView

SecretName = Annotated[str, Path(pattern=ENV_NAME, examples=["GITHUB_TOKEN"])]


class OperationRoutes:
    def __init__(self, services: Services, readiness: Readiness) -> None:
        self._services = services
        self._secrets = SecretOperations(services)
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

    async def list_secrets(self, request: Request, query: Annotated[SecretsQuery, Query()]) -> Response:
        """Names of secrets; values never leave."""
        return reply_list(await self._secrets.list(caller_of(request), query.agent))

    async def set_secret(
        self, request: Request, name: SecretName, body: SecretSet, query: Annotated[SecretsQuery, Query()]
    ) -> Response:
        """Set a secret for one agent, or without `agent` for all; runs that start from now on get it."""
        return reply(await self._secrets.set(caller_of(request), query.agent, name, body.value))

    async def delete_secret(
        self, request: Request, name: SecretName, query: Annotated[SecretsQuery, Query()]
    ) -> Response:
        """Remove a secret."""
        await self._secrets.delete(caller_of(request), query.agent, name)
        return Response(status_code=204)

    async def collect_garbage(self, request: Request, query: Annotated[GcQuery, Query()]) -> Response:
        """Remove environments, releases and blobs that nothing refers to."""
        return reply(await self._server.collect(caller_of(request), query))

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
