"""API keys and the audit log."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from ao.clock import from_datetime
from ao.ids import ApiKeyId
from ao.server.access_views import audit_view, key_view
from ao.server.operations.pages import cut, id_before
from ao.server.roles import Caller
from ao.server.routes.parameters import AgentFilter, Cursor, Limit
from ao.server.services import Services
from ao.store.audit import AuditFilter
from ao.wire.access import AuditView, KeyCreate, KeyCreated, KeyView
from ao.wire.instants import Instant
from ao.wire.schemas import Page, Request, Text


class AuditQuery(Request):
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


class AccessOperations:
    def __init__(self, services: Services) -> None:
        self._keys = services.keys
        self._audit = services.audit

    async def create(self, caller: Caller, body: KeyCreate) -> KeyCreated:
        key, secret = await self._keys.create(
            body.name, body.role, caller.actor, body.agents, body.expires_in_seconds
        )
        return KeyCreated(key=key_view(key), secret=secret)

    async def list(self) -> Sequence[KeyView]:
        return [key_view(key) for key in await self._keys.list()]

    async def revoke(self, caller: Caller, key_id: str) -> KeyView:
        return key_view(await self._keys.revoke(ApiKeyId(key_id), caller.actor))

    async def audit(self, query: AuditQuery) -> Page[AuditView]:
        where = AuditFilter(
            query.actor,
            query.action,
            query.agent,
            query.target,
            _instant(query.since),
            _instant(query.until),
            id_before(query.cursor),
        )
        found, more = cut(await self._audit.list(where, query.limit + 1), query.limit, lambda each: each.id)
        return Page[AuditView].model_construct(items=[audit_view(entry) for entry in found], next=more)


def _instant(moment: datetime | None) -> int | None:
    return None if moment is None else from_datetime(moment)
