"""What comes next, for whoever waits for its instant."""

from dataclasses import replace

from ao.domain.placement import Placement
from ao.domain.webhook import DeliveryState
from ao.store.agenda import Due
from ao.store.records import Webhook
from ao.store.webhooks import DeliveryTry
from ao.testing.store_contract.harness import LEASE_US, SECOND, Harness, failed, schedule


class Agendas:
    async def test_nothing_is_due_where_nothing_is(self, harness: Harness) -> None:
        look = await harness.store.agenda.look()
        assert look.next_us == {}
        harness.advance(60)
        assert 60 * SECOND <= (await harness.replica.agenda.look()).now_us - look.now_us < 120 * SECOND

    async def test_the_first_lease_that_ends_comes_first(self, harness: Harness) -> None:
        await harness.register(10 * LEASE_US)
        first = await harness.register()
        (until_us,) = [w.lease_until_us for w in await harness.store.workers.list() if w.id == first]
        assert (await harness.replica.agenda.look()).next_us == {Due.LEASES: until_us}
        harness.advance(5)
        await harness.store.workers.heartbeat(first, LEASE_US)
        extended_us = await harness.next_us(Due.LEASES)
        assert extended_us is not None
        assert until_us + 5 * SECOND <= extended_us < until_us + 60 * SECOND
        await harness.store.workers.retire(first)
        assert (await harness.next_us(Due.LEASES) or 0) > until_us + 60 * SECOND

    async def test_of_what_runs_wait_for_the_earliest_counts(self, harness: Harness) -> None:
        _, claim = await harness.running()
        late = replace(harness.new_run(), queue_seconds=600.0)
        await harness.store.runs.create(late)
        timer_us = await harness.next_us(Due.RUNS)
        due_us = (await harness.finish(claim, failed())).due_us
        assert timer_us is not None
        assert due_us is not None
        assert await harness.next_us(Due.RUNS) == due_us < timer_us
        harness.advance(61)
        look = await harness.store.agenda.look()
        assert look.next_us[Due.RUNS] == due_us <= look.now_us  # it stays until it is done
        await harness.store.runs.promote_due(10)
        assert await harness.next_us(Due.RUNS) == timer_us

    async def test_a_tick_is_due_unless_its_schedule_is_paused_or_has_none(self, harness: Harness) -> None:
        await harness.deploy()
        made = await harness.store.schedules.create(schedule(name="nightly", next_us=7))
        await harness.store.schedules.create(schedule(name="never", next_us=None))
        assert (await harness.store.agenda.look()).next_us == {Due.TICKS: 7}
        await harness.store.schedules.delete(made)
        assert (await harness.store.agenda.look()).next_us == {}

    async def test_a_delivery_is_due_until_it_is_over(self, harness: Harness) -> None:
        new = replace(harness.new_run(), webhook=Webhook("https://example.com/hook", "SIGNING"))
        await harness.store.runs.create(new)
        await harness.store.runs.cancel(new.id, "key:ops")
        (delivery,) = await harness.store.webhooks.take_due(10, 60 * SECOND)
        assert await harness.next_us(Due.DELIVERIES) == delivery.due_us
        tried = DeliveryTry(delivery.tries, 1, 5, 200, None)
        await harness.store.webhooks.record(delivery.id, tried, DeliveryState.DELIVERED, None)
        assert await harness.next_us(Due.DELIVERIES) is None

    async def test_runs_that_are_aside_are_to_be_looked_at_again(self, harness: Harness) -> None:
        await harness.store.runs.create(harness.new_run("ghost"))
        assert await harness.store.runs.claim(await harness.register(), 1) == []
        assert await harness.next_us(Due.ASIDE) == 0
        assert await harness.store.runs.review(10) == 0
        await harness.deploy("ghost")
        assert await harness.next_us(Due.ASIDE) is None
        needs = Placement(requires={"gpu": "a100"}).text()
        await harness.store.runs.create(replace(harness.new_run("ghost"), placement=needs))
        assert await harness.next_us(Due.ASIDE) == 0
