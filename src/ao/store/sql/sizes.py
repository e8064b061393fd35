"""`ao.store.SizeStore` in SQL; how a database tells sizes is the dialect's affair."""

from ao.ids import RunId
from ao.store.sizes import Sizes, TableSize
from ao.store.sql.engine import Engine, Tx

RUNS_LOOKED_AT = 10_000

_FIRST_RUN = "SELECT created_us FROM run ORDER BY run_id LIMIT 1"

_HISTORY_SINCE = """
SELECT e.at_us FROM (SELECT run_id FROM run_head WHERE run_id > :after ORDER BY run_id LIMIT :looked_at) h
  JOIN run_event e ON e.run_id = h.run_id AND e.seq = 1
ORDER BY h.run_id LIMIT 1"""


class SqlSizeStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def measure(self, after: RunId | None) -> Sizes:
        def read(tx: Tx) -> Sizes:
            total, reusable = tx.one(self._engine.dialect.total_size, {}) or (0, 0)
            first = tx.one(_FIRST_RUN, {})
            since = tx.one(_HISTORY_SINCE, {"after": after or "", "looked_at": RUNS_LOOKED_AT})
            return Sizes(
                total_bytes=int(total),
                reusable_bytes=int(reusable),
                tables=[TableSize(*row) for row in tx.all(self._engine.dialect.table_sizes, {})],
                first_run_us=None if first is None else first[0],
                history_since_us=None if since is None else since[0],
            )

        return await self._engine.read(read)
