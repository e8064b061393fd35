"""The outbox of webhooks: written with the end of a run, taken by one sender at a time."""

import asyncio
from dataclasses import replace

import pytest

from ao.domain.errors import NotFound, StaleWrite
from ao.domain.webhook import DeliveryState
from ao.ids import DeliveryId, RunId
from ao.store.audit import AuditFilter, NewAudit
from ao.store.records import Webhook
from ao.store.webhooks import Delivery, DeliveryFilter, DeliveryTry
from ao.testing.store_contract.harness import AGENT, COMPLETED, SECOND, Harness, failed

TARGET = Webhook("https://example.com/hook", "SIGNING")
LEASE_US = 60 * SECOND


async def told(harness: Harness) -> RunId:
    """A pending run with a webhook."""
    new = replace(harness.new_run(), webhook=TARGET)
    return (await harness.store.runs.create(new)).run_id


async def ended(harness: Harness) -> Delivery:
    """The delivery of a run that was cancelled before it started."""
    run_id = await told(harness)
    await harness.store.runs.cancel(run_id, "key:ops")
    (delivery,) = await harness.store.webhooks.list(DeliveryFilter(), 10)
    return delivery


def tried(number: int, status: int | None = 200, at_us: int = 1) -> DeliveryTry:
    return DeliveryTry(number, at_us, 5, status, None if status == 200 else "refused")


class Delivering:
    async def test_whom_the_end_of_a_run_is_told_is_known_before_it(self, harness: Harness) -> None:
        await harness.deploy()
        assert await harness.store.webhooks.of_run(await told(harness)) == TARGET
        created = await harness.store.runs.create(harness.new_run())
        assert await harness.store.webhooks.of_run(created.run_id) is None

    async def test_the_end_of_a_run_is_in_the_outbox_with_its_transition(self, harness: Harness) -> None:
        await harness.deploy()
        run_id = await told(harness)
        worker_id = await harness.register()
        claim = await harness.claim_one(worker_id)
        await harness.finish(claim, failed())
        assert await harness.store.webhooks.list(DeliveryFilter(), 10) == []  # it is retried
        await harness.let_retries_be_due(worker_id)
        await harness.finish(await harness.claim_one(worker_id), COMPLETED)
        (delivery,) = await harness.replica.webhooks.list(DeliveryFilter(run_id=run_id), 10)
        assert (delivery.url, delivery.secret, delivery.agent) == (TARGET.url, TARGET.secret, AGENT)
        assert (delivery.state, delivery.tries, delivery.finished_us) == (DeliveryState.PENDING, 0, None)

    async def test_a_run_without_a_webhook_leaves_nothing(self, harness: Harness) -> None:
        await harness.store.runs.cancel(await harness.submit(), "key:ops")
        assert await harness.store.webhooks.list(DeliveryFilter(), 10) == []
        assert await harness.store.webhooks.take_due(10, LEASE_US) == []

    async def test_one_sender_takes_a_delivery(self, harness: Harness) -> None:
        await ended(harness)
        stores = (harness.store, harness.replica)
        taken = await asyncio.gather(*(stores[n % 2].webhooks.take_due(10, LEASE_US) for n in range(10)))
        assert sum(len(found) for found in taken) == 1

    async def test_what_was_taken_and_not_reported_is_due_again_after_the_lease(self, harness: Harness) -> None:
        await ended(harness)
        (first,) = await harness.store.webhooks.take_due(10, LEASE_US)
        harness.advance(61)
        (again,) = await harness.replica.webhooks.take_due(10, LEASE_US)
        assert (first.id, first.tries, again.id, again.tries) == (again.id, 1, first.id, 2)
        with pytest.raises(StaleWrite):
            await harness.store.webhooks.record(first.id, tried(1), DeliveryState.DELIVERED, None)
        await harness.replica.webhooks.record(again.id, tried(2), DeliveryState.DELIVERED, None)

    async def test_tries_are_kept_and_a_delivered_one_is_not_due(self, harness: Harness) -> None:
        await ended(harness)
        (first,) = await harness.store.webhooks.take_due(10, LEASE_US)
        now_us = await harness.store.schedules.now_us()
        later_us = now_us + 5 * SECOND
        await harness.store.webhooks.record(first.id, tried(1, None, 1), DeliveryState.PENDING, later_us)
        assert await harness.store.webhooks.take_due(10, LEASE_US) == []
        harness.advance(6)
        (second,) = await harness.store.webhooks.take_due(10, LEASE_US)
        await harness.store.webhooks.record(second.id, tried(2, 200, 2), DeliveryState.DELIVERED, None)
        delivery, tries = await harness.replica.webhooks.get(first.id)
        assert tries == [tried(1, None, 1), tried(2, 200, 2)]
        assert (delivery.state, delivery.due_us, delivery.tries) == (DeliveryState.DELIVERED, None, 2)
        assert delivery.finished_us is not None
        harness.advance(3600)
        assert await harness.store.webhooks.take_due(10, LEASE_US) == []

    async def test_a_replay_is_due_at_once_with_the_same_id(self, harness: Harness) -> None:
        made = await ended(harness)
        (taken,) = await harness.store.webhooks.take_due(10, LEASE_US)
        await harness.store.webhooks.record(taken.id, tried(1, 410), DeliveryState.FAILED, None)
        entry = NewAudit("key:ops", "webhook.replay", "w", AGENT, "{}", "", "", "")
        replayed = await harness.store.webhooks.replay(made.id, entry)
        assert (replayed.state, replayed.tries, replayed.finished_us) == (DeliveryState.PENDING, 0, None)
        assert len(await harness.store.audit.list(AuditFilter(), 10)) == 1
        (again,) = await harness.store.webhooks.take_due(10, LEASE_US)
        assert again.id == made.id
        await harness.store.webhooks.record(again.id, tried(1, 200, 9), DeliveryState.DELIVERED, None)
        assert len((await harness.store.webhooks.get(made.id))[1]) == 2

    async def test_an_unknown_delivery_is_not_found(self, harness: Harness) -> None:
        entry = NewAudit("key:ops", "webhook.replay", "w", AGENT, "{}", "", "", "")
        with pytest.raises(NotFound):
            await harness.store.webhooks.replay(DeliveryId("nothing"), entry)
        with pytest.raises(NotFound):
            await harness.store.webhooks.get(DeliveryId("nothing"))
        assert await harness.store.audit.list(AuditFilter(), 10) == []

    async def test_filters_narrow(self, harness: Harness) -> None:
        first = await ended(harness)
        await harness.store.runs.cancel(await told(harness), "key:ops")
        store = harness.store.webhooks
        second, _ = await store.list(DeliveryFilter(), 10)
        assert [found.id for found in await store.list(DeliveryFilter(before=second.id), 10)] == [first.id]
        assert len(await store.list(DeliveryFilter(agents=[AGENT, "other"]), 10)) == 2
        assert await store.list(DeliveryFilter(agents=["other"]), 10) == []
        assert await store.list(DeliveryFilter(state=DeliveryState.FAILED), 10) == []
