"""`ao.store.KeyStore` in SQL."""

from collections.abc import Sequence

from ao.domain.errors import NotFound
from ao.ids import ApiKeyId, new_api_key_id
from ao.store.records import ApiKey
from ao.store.sql.engine import Engine, Params, Tx

_INSERT = """
INSERT INTO api_key (key_id, name, role, key_hash, created_us)
VALUES (:key_id, :name, :role, :key_hash, :now)"""

_FIND = """
SELECT key_id, name, role, created_us, revoked_us FROM api_key
WHERE key_hash = :key_hash AND revoked_us IS NULL"""

_LIST = "SELECT key_id, name, role, created_us, revoked_us FROM api_key ORDER BY key_id"

_REVOKE = "UPDATE api_key SET revoked_us = COALESCE(revoked_us, :now) WHERE key_id = :key_id"


class SqlKeyStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, name: str, role: str, key_hash: str) -> ApiKey:
        key_id = new_api_key_id()
        params: Params = {"key_id": key_id, "name": name, "role": role, "key_hash": key_hash}

        def write(tx: Tx) -> ApiKey:
            tx.run(_INSERT, params)
            return ApiKey(key_id, name, role, tx.now_us, None)

        return await self._engine.write(write)

    async def find(self, key_hash: str) -> ApiKey | None:
        row = await self._engine.read(lambda tx: tx.one(_FIND, {"key_hash": key_hash}), small=True)
        return None if row is None else ApiKey(*row)

    async def list(self) -> Sequence[ApiKey]:
        rows = await self._engine.read(lambda tx: tx.all(_LIST, {}))
        return [ApiKey(*row) for row in rows]

    async def revoke(self, key_id: ApiKeyId) -> None:
        """Revoking twice is no error; the first instant is kept."""

        def write(tx: Tx) -> None:
            if tx.run(_REVOKE, {"key_id": key_id}) == 0:
                raise NotFound(f"There is no API key {key_id}.")

        await self._engine.write(write)
