"""`ao.store.SecretStore` in SQL."""

from collections.abc import Sequence

from ao.domain.errors import NotFound
from ao.store.audit import NewAudit
from ao.store.records import Secret
from ao.store.sql.audit import note
from ao.store.sql.engine import Engine, Params, Tx

_SET = """
INSERT INTO secret (agent, name, ciphertext, version, updated_us, actor)
VALUES (:agent, :name, :ciphertext, 1, :now, :actor)
ON CONFLICT (agent, name) DO UPDATE SET ciphertext = excluded.ciphertext, version = secret.version + 1,
  updated_us = excluded.updated_us, actor = excluded.actor
RETURNING agent, name, version, updated_us, actor"""

_DELETE = "DELETE FROM secret WHERE agent = :agent AND name = :name"
_ALL = "SELECT agent, name, version, updated_us, actor FROM secret ORDER BY agent, name"
_OF_AGENT = "SELECT agent, name, version, updated_us, actor FROM secret WHERE agent = :agent ORDER BY name"
_RESOLVE = (
    "SELECT ciphertext FROM secret WHERE name = :name AND agent IN ('', :agent) ORDER BY agent DESC LIMIT 1"
)

_MARK = "SELECT COUNT(*), SUM(version), MAX(updated_us) FROM secret"


class SqlSecretStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def set(
        self, agent: str, name: str, ciphertext: bytes, actor: str, audit: NewAudit | None = None
    ) -> Secret:
        params: Params = {"agent": agent, "name": name, "ciphertext": ciphertext, "actor": actor}

        def write(tx: Tx) -> Secret:
            row = tx.one(_SET, params)
            assert row is not None
            note(tx, audit)
            return Secret(*row)

        return await self._engine.write(write)

    async def delete(self, agent: str, name: str, audit: NewAudit | None = None) -> None:
        def write(tx: Tx) -> None:
            if tx.count(_DELETE, {"agent": agent, "name": name}) == 0:
                owner = f"agent {agent}" if agent else "all agents"
                raise NotFound(f"There is no secret {name} of {owner}.", hint="`ao secrets list` shows them.")
            note(tx, audit)

        await self._engine.write(write)

    async def list(self, agent: str | None) -> Sequence[Secret]:
        sql = _ALL if agent is None else _OF_AGENT
        rows = await self._engine.read(lambda tx: tx.all(sql, {"agent": agent}))
        return [Secret(*row) for row in rows]

    async def resolve(self, agent: str, names: Sequence[str]) -> dict[str, bytes]:
        def read(tx: Tx) -> dict[str, bytes]:
            found = ((name, tx.one(_RESOLVE, {"agent": agent, "name": name})) for name in names)
            return {name: bytes(row[0]) for name, row in found if row is not None}

        return await self._engine.read(read, small=True) if names else {}

    async def mark(self) -> str:
        return str(await self._engine.read(lambda tx: tx.one(_MARK, {}), small=True))
