"""`ao.store.KeyStore` in SQL."""

import json
from collections.abc import Sequence

from ao.domain.errors import NotFound
from ao.ids import ApiKeyId
from ao.store.audit import NewAudit
from ao.store.records import ApiKey, NewApiKey
from ao.store.sql.audit import note
from ao.store.sql.codec import to_json
from ao.store.sql.engine import Engine, Params, Row, Tx

_INSERT = """
INSERT INTO api_key (key_id, name, role, key_hash, created_us, agents, expires_us, actor)
VALUES (:key_id, :name, :role, :key_hash, :now, :agents, :expires_us, :actor)"""

_COLUMNS = "key_id, name, role, created_us, revoked_us, agents, expires_us, last_used_us, actor"
COLUMNS_OF_K = ", ".join(f"k.{name}" for name in _COLUMNS.split(", "))
"""For a join with `api_key k`; `key_from` reads them."""

_FIND = f"""
SELECT {_COLUMNS} FROM api_key
WHERE key_hash = :key_hash AND revoked_us IS NULL AND (expires_us IS NULL OR expires_us > :now)"""

_LIST = f"SELECT {_COLUMNS} FROM api_key ORDER BY key_id"
_GET = f"SELECT {_COLUMNS} FROM api_key WHERE key_id = :key_id"

_REVOKE = "UPDATE api_key SET revoked_us = :now WHERE key_id = :key_id AND revoked_us IS NULL"

_TOUCH = """
UPDATE api_key SET last_used_us = :now
WHERE key_id = :key_id AND (last_used_us IS NULL OR last_used_us < :now)"""


class SqlKeyStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, key: NewApiKey, audit: NewAudit | None = None) -> ApiKey:
        params: Params = {
            "key_id": key.id,
            "name": key.name,
            "role": key.role,
            "key_hash": key.key_hash,
            "agents": to_json(list(key.agents)) if key.agents else None,
            "expires_us": key.expires_us,
            "actor": key.actor,
        }

        def write(tx: Tx) -> ApiKey:
            tx.run(_INSERT, params)
            note(tx, audit)
            return _get(tx, key.id)

        return await self._engine.write(write)

    async def find(self, key_hash: str) -> ApiKey | None:
        row = await self._engine.read(lambda tx: tx.one(_FIND, {"key_hash": key_hash}), small=True)
        return None if row is None else key_from(row)

    async def list(self) -> Sequence[ApiKey]:
        return [key_from(row) for row in await self._engine.read(lambda tx: tx.all(_LIST, {}))]

    async def touch(self, key_id: ApiKeyId) -> None:
        await self._engine.write(lambda tx: tx.run(_TOUCH, {"key_id": key_id}))

    async def revoke(self, key_id: ApiKeyId, audit: NewAudit | None = None) -> ApiKey:
        def write(tx: Tx) -> ApiKey:
            if tx.count(_REVOKE, {"key_id": key_id}):
                note(tx, audit)
            return _get(tx, key_id)

        return await self._engine.write(write)


def _get(tx: Tx, key_id: ApiKeyId) -> ApiKey:
    row = tx.one(_GET, {"key_id": key_id})
    if row is None:
        raise NotFound(f"There is no API key {key_id}.", hint="`ao keys list` shows them.")
    return key_from(row)


def key_from(row: Row) -> ApiKey:
    key_id, name, role, created_us, revoked_us, agents, expires_us, last_used_us, actor = row
    scope = tuple(json.loads(agents)) if agents else ()
    return ApiKey(key_id, name, role, created_us, revoked_us, scope, expires_us, last_used_us, actor or "")
