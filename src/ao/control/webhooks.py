"""Webhooks: the end of a run, told to an address, signed, until it is heard."""

import asyncio
import random
from collections.abc import Sequence
from urllib.parse import urlsplit

from ao.clock import to_datetime
from ao.control import audit
from ao.control.agenda import Agenda
from ao.control.outbound import NotSent, Outbound, Reply
from ao.control.payloads import Payloads, dump
from ao.control.secrets import Secrets
from ao.domain.errors import AoError, InvalidInput, Problem, Unavailable
from ao.domain.webhook import GONE, DeliveryState, delay_seconds, signature, signing_key
from ao.ids import DeliveryId
from ao.logs import get_logger
from ao.store import Store
from ao.store.agenda import Due
from ao.store.records import Run
from ao.store.webhooks import Delivery, DeliveryFilter, DeliveryTry
from ao.wire.webhooks import WebhookEvent, WebhookRun

log = get_logger(__name__)

AT_ONCE = 20
LEASE_SECONDS = 60.0
"""A delivery that was taken and not reported by then is taken again: its server was killed."""
MAX_VALUE_BYTES = 256 << 10
"""Larger inputs and outputs are left out; `GET /v1/runs/{id}` has them."""
_OK = range(200, 300)


class Webhooks:
    def __init__(self, store: Store, payloads: Payloads, secrets: Secrets, outbound: Outbound) -> None:
        self._store = store
        self._payloads = payloads
        self._secrets = secrets
        self._outbound = outbound

    async def check(self, agent: str, url: str, secret: str) -> None:
        """Raises InvalidInput, NotFound for a webhook that could never be delivered."""
        check_url(url)
        signing_key((await self._secrets.reveal(agent, [secret]))[secret])

    async def list(self, where: DeliveryFilter, limit: int) -> Sequence[Delivery]:
        """Newest first."""
        return await self._store.webhooks.list(where, limit)

    async def get(self, delivery_id: DeliveryId) -> tuple[Delivery, Sequence[DeliveryTry]]:
        return await self._store.webhooks.get(delivery_id)

    async def agent_of(self, delivery_id: str) -> str:
        return (await self._store.webhooks.get(DeliveryId(delivery_id)))[0].agent

    async def replay(self, delivery_id: DeliveryId, actor: str) -> Delivery:
        """Deliver again from the start of the schedule, with the same id, whatever became of it before."""
        agent = await self.agent_of(delivery_id)
        entry = audit.entry(actor, "webhook.replay", f"webhook:{delivery_id}", agent)
        return await self._store.webhooks.replay(delivery_id, entry)

    async def run_forever(self, agenda: Agenda) -> None:
        """Deliver what is due; any number of replicas may do this at the same time."""
        async with asyncio.TaskGroup() as group:
            free = asyncio.Semaphore(AT_ONCE)
            while True:
                await free.acquire()
                free.release()
                await agenda.due(Due.DELIVERIES)
                try:
                    due = await self._store.webhooks.take_due(AT_ONCE, int(LEASE_SECONDS * 1e6))
                except Unavailable as error:
                    log.warning("webhooks not looked at", error=str(error))
                    due = []
                for delivery in due:
                    await free.acquire()
                    task = group.create_task(self._deliver(delivery))
                    task.add_done_callback(lambda _: free.release())

    async def _deliver(self, delivery: Delivery) -> None:
        reply, problem, started_us = None, "", 0
        try:
            started_us = await self._store.schedules.now_us()
            reply = await self._send(delivery, started_us // 1_000_000)
            problem = "" if reply.status in _OK else f"the receiver answered {reply.status}"
        except NotSent as error:
            problem = str(error)
        except Unavailable as error:
            log.warning("webhook not sent now", delivery=delivery.id, error=error.message)
            return  # it is taken again when its lease is over
        except AoError as error:
            problem = error.message
        except Exception:
            log.exception("webhook crashed", delivery=delivery.id)  # others are delivered all the same
            problem = "internal error; see the server's log"
        try:
            await self._report(delivery, started_us, reply, problem)
        except AoError as error:
            log.warning("webhook sent, but not noted", delivery=delivery.id, error=error.message)

    async def _report(self, delivery: Delivery, started_us: int, reply: Reply | None, problem: str) -> None:
        now_us = await self._store.schedules.now_us()
        status = reply.status if reply else None
        tried = DeliveryTry(delivery.tries, started_us, now_us - started_us, status, problem or None)
        if not problem:
            await self._store.webhooks.record(delivery.id, tried, DeliveryState.DELIVERED, None)
            return
        asked = reply.retry_after_seconds if reply else None
        delay = None if status == GONE else delay_seconds(delivery.tries, random.random(), asked)  # noqa: S311
        log.warning("webhook not delivered", delivery=delivery.id, run=delivery.run_id, error=problem)
        if delay is None:
            await self._store.webhooks.record(delivery.id, tried, DeliveryState.FAILED, None)
        else:
            due_us = now_us + int(delay * 1e6)
            await self._store.webhooks.record(delivery.id, tried, DeliveryState.PENDING, due_us)

    async def _send(self, delivery: Delivery, timestamp: int) -> Reply:
        run = await self._store.runs.get(delivery.run_id)
        secrets = await self._secrets.reveal(delivery.agent, [delivery.secret])
        key = signing_key(secrets[delivery.secret])
        body = (await self._event(run)).model_dump_json().encode()
        headers = {
            "host": urlsplit(delivery.url).netloc,
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": "ao-webhooks",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(key, delivery.id, timestamp, body),
        }
        return await self._outbound.post(delivery.url, headers, body)

    async def _event(self, run: Run) -> WebhookEvent:
        """The same for every try: a run that has ended does not change."""
        payloads = {"input": run.input, "output": run.output}
        values = {name: await self._payloads.value(payload) for name, payload in payloads.items()}
        omitted = [name for name, value in values.items() if len(dump(value)) > MAX_VALUE_BYTES]
        kept = {name: None if name in omitted else value for name, value in values.items()}
        return WebhookEvent(
            type=f"run.{run.head.state}",
            timestamp=to_datetime(run.finished_us or run.created_us),
            data=WebhookRun(
                id=run.id,
                agent=run.agent,
                environment=run.environment,
                state=run.head.state,
                version=run.version,
                attempt=run.head.attempt,
                error=run.error.message if run.error else None,
                created_at=to_datetime(run.created_us),
                finished_at=to_datetime(run.finished_us or run.created_us),
                omitted=omitted,
                **kept,
            ),
        )


def check_url(url: str) -> None:
    """Raises InvalidInput for what is no http or https address of a receiver."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        (parts.hostname or "").encode("idna")
        plain = not (parts.username or parts.password or parts.fragment)
    except ValueError:
        valid = plain = False
    if not (valid and plain and url.isascii() and url.isprintable() and " " not in url):
        problem = Problem("webhook.url", "is not an http or https URL without user, password and fragment")
        raise InvalidInput(f"webhook.url {problem.message}", problems=[problem])
