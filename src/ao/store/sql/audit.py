"""`ao.store.AuditStore` in SQL, and the row that other stores write beside their changes."""

from collections.abc import Sequence

from ao.ids import uuid7
from ao.store.audit import Audit, AuditFilter, NewAudit
from ao.store.sql.codec import clean
from ao.store.sql.engine import Engine, Params, Row, Tx

_COLUMNS = "audit_id, at_us, actor, action, target, agent, details, source, request_id, key_id"

_INSERT = f"""
INSERT INTO audit ({_COLUMNS})
VALUES (:audit_id, :now, :actor, :action, :target, :agent, :details, :source, :request_id, :key_id)"""

_CONDITIONS = {
    "actor": "actor = :actor",
    "agent": "agent = :agent",
    "target": "target = :target",
    "since_us": "at_us >= :since_us",
    "until_us": "at_us < :until_us",
    "before": "audit_id < :before",
}


class SqlAuditStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def append(self, entry: NewAudit) -> None:
        await self._engine.write(lambda tx: note(tx, entry))

    async def list(self, where: AuditFilter, limit: int) -> Sequence[Audit]:
        params: Params = {"limit": limit}
        clauses = []
        for name, clause in _CONDITIONS.items():
            if (value := getattr(where, name)) is not None:
                clauses.append(clause)
                params[name] = value
        if where.action is not None:
            clauses.append(
                "action >= :action AND action < :action_end"
                if where.action.endswith(".")
                else "action = :action"
            )
            params |= {"action": where.action, "action_end": where.action[:-1] + "/"}
        clause = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        sql = f"SELECT {_COLUMNS} FROM audit{clause} ORDER BY audit_id DESC LIMIT :limit"
        return [_audit_from(row) for row in await self._engine.read(lambda tx: tx.all(sql, params))]


def note(tx: Tx, entry: NewAudit | None) -> None:
    """Write the entry of a change in its own transaction; None for what is not a user's doing."""
    if entry is None:
        return
    params: Params = {
        "audit_id": uuid7(),
        "actor": entry.actor,
        "action": entry.action,
        "target": clean(entry.target),
        "agent": entry.agent,
        "details": entry.details,
        "source": entry.source,
        "request_id": entry.request_id,
        "key_id": entry.key_id,
    }
    tx.run(_INSERT, params)


def _audit_from(row: Row) -> Audit:
    audit_id, at_us, actor, action, target, agent, details, source, request_id, key_id = row
    return Audit(audit_id, at_us, NewAudit(actor, action, target, agent, details, source, request_id, key_id))
