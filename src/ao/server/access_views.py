"""Keys and audit entries as the API shows them."""

import json
from datetime import datetime

from ao.clock import to_datetime
from ao.domain.access import Role
from ao.store.audit import Audit
from ao.store.records import ApiKey
from ao.wire.access import AuditView, KeyView


def key_view(key: ApiKey) -> KeyView:
    return KeyView.model_construct(
        id=key.id,
        name=key.name,
        role=Role(key.role),
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
