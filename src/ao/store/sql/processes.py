"""`ao.store.ProcessStore` in SQL."""

from collections.abc import Sequence

from ao import __version__
from ao.ids import ProcessId
from ao.store.processes import ALIVE_SECONDS, BEAT_SECONDS, Process, Role
from ao.store.sql import migrate
from ao.store.sql.engine import Engine, Tx
from ao.store.sql.migrate import Found

__all__ = ["ALIVE_US", "BEAT_SECONDS", "SqlProcessStore"]

ALIVE_US = int(ALIVE_SECONDS * 1_000_000)
_FORGOTTEN_US = 86_400_000_000

_JOIN = """
INSERT INTO process (process_id, role, host, version, schema_known, started_us, beat_us)
VALUES (:process_id, :role, :host, :version, :schema_known, :now, :now)
ON CONFLICT (process_id) DO UPDATE SET beat_us = excluded.beat_us"""

_BEAT = """
UPDATE process SET beat_us = :now
WHERE process_id = :process_id AND :schema_known >= COALESCE(
  (SELECT value FROM meta WHERE key = 'min_reader'), (SELECT version_num FROM alembic_version))
RETURNING COALESCE((SELECT value FROM meta WHERE key = 'tidy_us'), '0')"""

_LEAVE = "DELETE FROM process WHERE process_id = :process_id OR beat_us < :now - :forgotten_us"

_ASK = """
INSERT INTO meta (key, value) VALUES ('tidy_us', :at) ON CONFLICT (key) DO UPDATE SET value = excluded.value"""

_LIST = """
SELECT process_id, role, host, version, schema_known, started_us, beat_us
FROM process WHERE beat_us > :now - :alive_us ORDER BY started_us, process_id"""


class SqlProcessStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def join(self, process_id: ProcessId, role: Role, host: str) -> None:
        def write(tx: Tx) -> None:
            tx.run(_LEAVE, {"process_id": "", "forgotten_us": _FORGOTTEN_US})
            tx.run(_JOIN, _row(process_id, role, host))
            _refuse(tx)

        await self._engine.write(write, urgent=True)

    async def beat(self, process_id: ProcessId, role: Role, host: str) -> int:
        row = _row(process_id, role, host)
        asked = await self._engine.each(lambda tx: tx.one(_BEAT, row), urgent=True)
        if asked is None:  # it may not go on, or was away for a day
            await self.join(process_id, role, host)
        return 0 if asked is None else int(asked[0])

    async def ask_to_tidy(self) -> None:
        await self._engine.write(lambda tx: tx.run(_ASK, {"at": str(tx.now_us)}))

    async def leave(self, process_id: ProcessId) -> None:
        params = {"process_id": process_id, "forgotten_us": _FORGOTTEN_US}
        await self._engine.write(lambda tx: tx.run(_LEAVE, params), urgent=True)

    async def list(self) -> Sequence[Process]:
        def read(tx: Tx) -> Sequence[Process]:
            return [Process(*row) for row in tx.all(_LIST, {"alive_us": ALIVE_US})]

        return await self._engine.read(read)


def _row(process_id: ProcessId, role: Role, host: str) -> dict[str, object]:
    return {
        "process_id": process_id,
        "role": role,
        "host": host,
        "version": __version__,
        "schema_known": migrate.HEAD,
    }


def _refuse(tx: Tx) -> None:
    """Raise `SchemaTooNew`, which undoes the write: a process that may not work is not there."""
    schema = tx.one(migrate.READ_VERSION, {})
    meta = [(key, value) for key, value in tx.all(migrate.READ_META, {})]
    Found.of("" if schema is None else schema[0], meta).refuse_newer("The database")
