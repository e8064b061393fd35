"""API keys and the audit log."""

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from ao.clock import from_datetime, to_datetime
from ao.ids import ApiKeyId
from ao.server.replies import bad_cursor, cursor, read_cursor, reply, reply_list
from ao.server.route import Route
from ao.server.routes.parameters import AgentFilter, Cursor, Limit, actor
from ao.server.services import Services
from ao.store.audit import Audit, AuditFilter
from ao.store.records import ApiKey
from ao.wire.access import AuditView, KeyCreate, KeyCreated, KeyView
from ao.wire.instants import Instant
from ao.wire.schemas import Page, Text
from ao.wire.schemas import Request as Strict

KeyId = Annotated[
    str,
    Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="The key's id."),
]


class AuditQuery(Strict):
    actor: Text | None = Field(None, max_length=200, examples=["key:ci"])
    action: Text | None = Field(
        None, min_length=1, max_length=100, description="Such as `key.create`, or `key.` for all of a kind."
    )
    agent: AgentFilter = None
    target: Text | None = Field(None, max_length=300, examples=["secret:TOKEN"])
    since: Instant | None = Field(None, description="Not before this instant.")
    until: Instant | None = Field(None, description="Before this instant.")
    limit: Limit = 50
    cursor: Cursor = None


class AccessRoutes:
    def __init__(self, services: Services) -> None:
        self._keys = services.keys
        self._audit = services.audit

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
        key, secret = await self._keys.create(
            body.name, body.role, actor(request), body.agents, body.expires_in_seconds
        )
        return reply(KeyCreated(key=key_view(key), secret=secret), 201)

    async def list_keys(self) -> Response:
        """Every key, revoked ones too: what they may do and when they were last used."""
        return reply_list([key_view(key) for key in await self._keys.list()])

    async def revoke_key(self, request: Request, key_id: KeyId) -> Response:
        """End a key: servers refuse it within seconds. Revoking it again changes nothing."""
        return reply(key_view(await self._keys.revoke(ApiKeyId(key_id), actor(request))))

    async def list_audit(self, query: Annotated[AuditQuery, Query()]) -> Response:
        """Who changed what, when and from where; newest first."""
        before = read_cursor(query.cursor)
        if before is not None and len(before) != 36:
            raise bad_cursor()
        where = AuditFilter(
            query.actor,
            query.action,
            query.agent,
            query.target,
            _instant(query.since),
            _instant(query.until),
            before,
        )
        found = await self._audit.list(where, query.limit + 1)
        more = cursor(found[query.limit - 1].id) if len(found) > query.limit else None
        items = [audit_view(entry) for entry in found[: query.limit]]
        return reply(Page[AuditView].model_construct(items=items, next=more))


def key_view(key: ApiKey) -> KeyView:
    return KeyView.model_construct(
        id=key.id,
        name=key.name,
        role=key.role,
        agents=list(key.agents),
        actor=key.actor,
        created_at=to_datetime(key.created_us),
        expires_at=_moment(key.expires_us),
        last_used_at=_moment(key.last_used_us),
        revoked_at=_moment(key.revoked_us),
    )


def audit_view(audit: Audit) -> AuditView:
    entry = audit.entry
    return AuditView.model_construct(
        id=audit.id,
        at=to_datetime(audit.at_us),
        actor=entry.actor,
        key_id=entry.key_id,
        action=entry.action,
        target=entry.target,
        agent=entry.agent or None,
        details=json.loads(entry.details),
        source=entry.source,
        request_id=entry.request_id,
    )


def _moment(instant_us: int | None) -> datetime | None:
    return None if instant_us is None else to_datetime(instant_us)


def _instant(moment: datetime | None) -> int | None:
    return None if moment is None else from_datetime(moment)
