"""`ao.store.LoginStore` in SQL."""

from ao.ids import ApiKeyId
from ao.store.records import Login
from ao.store.sql.engine import Engine, Tx
from ao.store.sql.keys import COLUMNS_OF_K, key_from

_PUT = """
INSERT INTO login (token_hash, kind, key_id, until_us)
VALUES (:token_hash, :kind, :key_id, :now + :lifetime_us)"""

_FORGET = "DELETE FROM login WHERE until_us <= :now"

_TAKE_LINK = """
DELETE FROM login WHERE token_hash = :token_hash AND kind = 'link' AND until_us > :now RETURNING key_id"""

_FIND = f"""
SELECT {COLUMNS_OF_K}, s.until_us
FROM login s JOIN api_key k ON k.key_id = s.key_id
WHERE s.token_hash = :token_hash AND s.kind = 'session' AND s.until_us > :now AND k.revoked_us IS NULL
  AND (k.expires_us IS NULL OR k.expires_us > :now)"""

_CLOSE = "DELETE FROM login WHERE token_hash = :token_hash AND kind = 'session'"


class SqlLoginStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def offer(self, link_hash: str, key_id: ApiKeyId, lifetime_us: int) -> None:
        await self._engine.write(lambda tx: _put(tx, "link", link_hash, key_id, lifetime_us))

    async def redeem(self, link_hash: str, session_hash: str, lifetime_us: int) -> bool:
        def write(tx: Tx) -> bool:
            row = tx.one(_TAKE_LINK, {"token_hash": link_hash})
            if row is None:
                return False
            _put(tx, "session", session_hash, row[0], lifetime_us)
            return True

        return await self._engine.write(write)

    async def open(self, session_hash: str, key_id: ApiKeyId, lifetime_us: int) -> None:
        await self._engine.write(lambda tx: _put(tx, "session", session_hash, key_id, lifetime_us))

    async def find(self, session_hash: str) -> Login | None:
        row = await self._engine.read(lambda tx: tx.one(_FIND, {"token_hash": session_hash}))
        return None if row is None else Login(key_from(row[:-1]), row[-1])

    async def close(self, session_hash: str) -> None:
        await self._engine.write(lambda tx: tx.run(_CLOSE, {"token_hash": session_hash}))


def _put(tx: Tx, kind: str, token_hash: str, key_id: str, lifetime_us: int) -> None:
    tx.run(_FORGET, {})
    params = {"token_hash": token_hash, "kind": kind, "key_id": key_id, "lifetime_us": lifetime_us}
    tx.run(_PUT, params)
