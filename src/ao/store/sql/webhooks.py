"""`ao.store.WebhookStore` in SQL, and the rows that runs leave in the outbox."""

from collections.abc import Sequence

from ao.domain.errors import NotFound, StaleWrite
from ao.domain.webhook import DeliveryState
from ao.ids import DeliveryId, RunId, uuid7
from ao.store.audit import NewAudit
from ao.store.records import Webhook
from ao.store.sql.audit import note
from ao.store.sql.codec import clean
from ao.store.sql.engine import Engine, Params, Row, Tx
from ao.store.webhooks import Delivery, DeliveryFilter, DeliveryTry

_KEEP = "INSERT INTO run_webhook (run_id, url, secret) VALUES (:run_id, :url, :secret)"

_OF_RUN = "SELECT url, secret FROM run_webhook WHERE run_id = :run_id"

_ENQUEUE = """
INSERT INTO webhook_delivery (delivery_id, run_id, agent, url, secret, state, created_us, due_us, tries)
SELECT :delivery_id, w.run_id, r.agent, w.url, w.secret, 'pending', :now, :now, 0
FROM run_webhook w JOIN run r ON r.run_id = w.run_id WHERE w.run_id = :run_id"""

_COLUMNS = "delivery_id, run_id, agent, url, secret, state, created_us, due_us, tries, finished_us"

_TAKE_DUE = f"""
WITH due AS MATERIALIZED (
  SELECT delivery_id FROM webhook_delivery WHERE state = 'pending' AND due_us <= :now
  ORDER BY due_us LIMIT :limit FOR UPDATE SKIP LOCKED)
UPDATE webhook_delivery SET tries = tries + 1, due_us = :now + :lease_us
WHERE delivery_id IN (SELECT delivery_id FROM due)
RETURNING {_COLUMNS}"""

_ANY_DUE = "SELECT 1 FROM webhook_delivery WHERE state = 'pending' AND due_us <= :now LIMIT 1"

_RECORD = """
UPDATE webhook_delivery SET state = :state, due_us = :due_us,
  finished_us = CASE WHEN :state = 'pending' THEN NULL ELSE :now + 0 END
WHERE delivery_id = :delivery_id AND state = 'pending' AND tries = :tries"""

_TRIED = """
INSERT INTO webhook_try (delivery_id, at_us, number, duration_us, status, error)
VALUES (:delivery_id, :at_us, :tries, :duration_us, :status, :error)
ON CONFLICT (delivery_id, at_us) DO NOTHING"""

_GET = f"SELECT {_COLUMNS} FROM webhook_delivery WHERE delivery_id = :delivery_id"
_TRIES = """
SELECT number, at_us, duration_us, status, error FROM webhook_try
WHERE delivery_id = :delivery_id ORDER BY at_us"""

_CONDITIONS = {"run_id": "run_id = :run_id", "state": "state = :state", "before": "delivery_id < :before"}

_REPLAY = """
UPDATE webhook_delivery SET state = 'pending', due_us = :now, tries = 0, finished_us = NULL
WHERE delivery_id = :delivery_id"""


class SqlWebhookStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of_run(self, run_id: RunId) -> Webhook | None:
        row = await self._engine.read(lambda tx: tx.one(_OF_RUN, {"run_id": run_id}), small=True)
        return None if row is None else Webhook(*row)

    async def take_due(self, limit: int, lease_us: int) -> Sequence[Delivery]:
        if await self._engine.read(lambda tx: tx.one(_ANY_DUE, {}), small=True) is None:
            return []
        params: Params = {"limit": limit, "lease_us": lease_us}
        rows = await self._engine.write(lambda tx: tx.all(_TAKE_DUE, params))
        return [_delivery_from(row) for row in rows]

    async def record(
        self, delivery_id: DeliveryId, tried: DeliveryTry, state: DeliveryState, due_us: int | None
    ) -> None:
        params: Params = {
            "delivery_id": delivery_id,
            "tries": tried.number,
            "at_us": tried.at_us,
            "duration_us": tried.duration_us,
            "status": tried.status,
            "error": None if tried.error is None else clean(tried.error),
            "state": state.value,
            "due_us": due_us,
        }

        def write(tx: Tx) -> None:
            if tx.count(_RECORD, params) == 0:
                raise StaleWrite(f"The delivery {delivery_id} was taken by somebody else.")
            tx.run(_TRIED, params)

        await self._engine.write(write)

    async def list(self, where: DeliveryFilter, limit: int) -> Sequence[Delivery]:
        params: Params = {"limit": limit}
        clauses = []
        for name, clause in _CONDITIONS.items():
            if (value := getattr(where, name)) is not None:
                clauses.append(clause)
                params[name] = str(value)
        if where.agents:
            names = {f"agent{number}": agent for number, agent in enumerate(where.agents)}
            clauses.append(f"agent IN ({', '.join(f':{name}' for name in names)})")
            params |= names
        clause = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        sql = f"SELECT {_COLUMNS} FROM webhook_delivery{clause} ORDER BY delivery_id DESC LIMIT :limit"
        return [_delivery_from(row) for row in await self._engine.read(lambda tx: tx.all(sql, params))]

    async def get(self, delivery_id: DeliveryId) -> tuple[Delivery, Sequence[DeliveryTry]]:
        def read(tx: Tx) -> tuple[Delivery, Sequence[DeliveryTry]]:
            rows = tx.all(_TRIES, {"delivery_id": delivery_id})
            return _get(tx, delivery_id), [DeliveryTry(*row) for row in rows]

        return await self._engine.read(read)

    async def replay(self, delivery_id: DeliveryId, audit: NewAudit | None = None) -> Delivery:
        def write(tx: Tx) -> Delivery:
            tx.run(_REPLAY, {"delivery_id": delivery_id})
            note(tx, audit)
            return _get(tx, delivery_id)

        return await self._engine.write(write)


def keep(tx: Tx, run_id: str, webhook: Webhook) -> None:
    """Remember with a new run where its end is to be told."""
    tx.run(_KEEP, {"run_id": run_id, "url": webhook.url, "secret": webhook.secret})


def enqueue(tx: Tx, run_id: str) -> None:
    """Put the end of a run into the outbox, in the transaction of its terminal transition."""
    tx.run(_ENQUEUE, {"delivery_id": uuid7(), "run_id": run_id})


def _get(tx: Tx, delivery_id: str) -> Delivery:
    row = tx.one(_GET, {"delivery_id": delivery_id})
    if row is None:
        raise NotFound(f"There is no webhook delivery {delivery_id}.", hint="`ao webhooks list` shows them.")
    return _delivery_from(row)


def _delivery_from(row: Row) -> Delivery:
    delivery_id, run_id, agent, url, secret, state, *rest = row
    return Delivery(delivery_id, run_id, agent, url, secret, DeliveryState(state), *rest)
