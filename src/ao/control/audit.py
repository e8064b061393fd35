"""The audit log: who changed what, when, and from where."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from pydantic import JsonValue

from ao.control.payloads import dump
from ao.store import Store
from ao.store.audit import Audit, AuditFilter, NewAudit


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the present request came from."""

    source: str = ""
    request_id: str = ""
    key_id: str = ""


_NO_REQUEST = Origin()
ORIGIN: ContextVar[Origin] = ContextVar("origin", default=_NO_REQUEST)
"""Set by what takes requests, as the log's fields are; what the server does by itself has none."""


def entry(actor: str, action: str, target: str, agent: str, **details: JsonValue) -> NewAudit:
    """The entry of a change that `actor` is about to make. `agent` is empty for the whole server."""
    origin = ORIGIN.get()
    kept: JsonValue = {name: value for name, value in details.items() if value not in (None, "", [])}
    return NewAudit(actor, action, target, agent, dump(kept), origin.source, origin.request_id, origin.key_id)


class AuditLog:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, where: AuditFilter, limit: int) -> Sequence[Audit]:
        """Newest first."""
        return await self._store.audit.list(where, limit)
