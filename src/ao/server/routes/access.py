"""API keys and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ao.server.operations.access import AccessOperations, AuditQuery
from ao.server.replies import reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.services import Services
from ao.wire.access import KEY_ID, AuditView, KeyCreate, KeyCreated, KeyView
from ao.wire.schemas import Page

KeyId = Annotated[str, Path(pattern=KEY_ID, description="The key's id.")]


class AccessRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = AccessOperations(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["access"], route_class=Route)
        add = router.add_api_route
        add("/keys", self.create_key, methods=["POST"], status_code=201, response_model=KeyCreated)
        add("/keys", self.list_keys, methods=["GET"], response_model=list[KeyView])
        add("/keys/{key_id}", self.revoke_key, methods=["DELETE"], response_model=KeyView)
        add("/audit", self.list_audit, methods=["GET"], response_model=Page[AuditView])
        return router

    async def create_key(self, request: Request, body: KeyCreate) -> Response:
        """Make an API key. Its text is in this answer only; the server keeps a hash."""
        return reply(await self._operations.create(caller_of(request), body), 201)

    async def list_keys(self) -> Response:
        """Every key, revoked ones too: what they may do and when they were last used."""
        return reply_list(await self._operations.list())

    async def revoke_key(self, request: Request, key_id: KeyId) -> Response:
        """End a key: servers refuse it within seconds. Revoking it again changes nothing."""
        return reply(await self._operations.revoke(caller_of(request), key_id))

    async def list_audit(self, query: Annotated[AuditQuery, Query()]) -> Response:
        """Who changed what, when and from where; newest first."""
        return reply(await self._operations.audit(query))
