"""Placement: runs go to workers that have what they require, and room for what they take."""

import asyncio
import json
from dataclasses import replace
from unittest.mock import ANY

import pytest

from ao.domain.errors import NotFound
from ao.domain.placement import Amounts, Offer, Placement
from ao.domain.run import RunState
from ao.ids import RunId, WorkerId, new_worker_id
from ao.store.gates import Gate, Hold
from ao.testing.store_contract.harness import COMPLETED, LEASE_US, Harness, failed, release

GIB = 1 << 30
A100 = Placement(requires={"gpu": "a100"})
EU = Placement(prefers={"zone": "eu"}, patience_us=10_000_000)


def takes(memory: int, **labels: str) -> Placement:
    return Placement(requires=labels, needs=Amounts(memory * GIB))


async def deploy(harness: Harness, placement: Placement | None, agent: str = "support") -> None:
    """A version whose runs have this placement."""
    building = await harness.start_build(agent)
    said = "{}" if placement is None else _config(placement)
    await harness.store.deployments.succeed(building.id, replace(release(building), config=said), None)


def _config(placement: Placement) -> str:
    needs = placement.needs
    return json.dumps(
        {
            "placement": {
                "requires": dict(placement.requires),
                "prefers": dict(placement.prefers),
                "memory": needs.memory,
                "cpu": needs.cpu / 1000,
                "patience": placement.patience_us / 1e6,
            },
            "resources": {"gpu": needs.gpu},
        }
    )


async def submit(
    harness: Harness,
    placement: Placement | None,
    agent: str = "support",
    *,
    priority: int = 0,
    key: str | None = None,
) -> RunId:
    new = harness.new_run(agent, priority=priority, concurrency_key=key)
    text = None if placement is None else placement.text()
    return (await harness.store.runs.create(replace(new, placement=text))).run_id


async def worker(harness: Harness, memory: int = 0, slots: int = 8, **labels: str) -> WorkerId:
    return await registered(harness, Offer(labels, Amounts(memory * GIB, 4000)), slots=slots)


async def claimed(harness: Harness, worker_id: WorkerId, limit: int = 1) -> list[RunId]:
    return [claim.run_id for claim in await harness.store.runs.claim(worker_id, limit)]


class Placing:
    async def test_a_run_goes_to_a_worker_that_has_its_labels(self, harness: Harness) -> None:
        await deploy(harness, A100)
        run_id = await submit(harness, A100)
        others: list[dict[str, str]] = [{}, {"model": "a100"}, {"gpu": "h100"}]
        for labels in others:
            assert await claimed(harness, await registered(harness, Offer(labels)), 8) == []
        assert await claimed(harness, await worker(harness, gpu="a100", zone="eu")) == [run_id]

    async def test_runs_that_a_worker_cannot_take_do_not_hold_up_others(self, harness: Harness) -> None:
        await deploy(harness, A100, "trainer")
        await deploy(harness, None)
        for _ in range(30):
            await submit(harness, A100, "trainer", priority=9)
        mine = [await submit(harness, None) for _ in range(5)]
        assert await claimed(harness, await worker(harness), 8) == mine

    async def test_priorities_hold_between_placements(self, harness: Harness) -> None:
        await deploy(harness, A100, "trainer")
        await deploy(harness, EU, "eu")
        await deploy(harness, None)
        low = await submit(harness, A100, "trainer", priority=-1)
        plain = await submit(harness, None)
        high = await submit(harness, EU, "eu", priority=5)
        higher = await submit(harness, A100, "trainer", priority=6)
        last = await submit(harness, None, priority=-2)
        worker_id = await worker(harness, gpu="a100", zone="eu")
        order = [run_id for _ in range(5) for run_id in await claimed(harness, worker_id)]
        assert order == [higher, high, plain, low, last]

    async def test_placements_take_turns_within_a_priority(self, harness: Harness) -> None:
        await deploy(harness, A100, "trainer")
        await deploy(harness, None)
        many = [await submit(harness, A100, "trainer") for _ in range(6)]
        few = [await submit(harness, None) for _ in range(2)]
        worker_id = await worker(harness, gpu="a100")
        order = [run_id for _ in range(8) for run_id in await claimed(harness, worker_id)]
        assert set(order[:4]) == {*many[:2], *few}
        assert [run_id for run_id in order if run_id in many] == many

    async def test_flows_take_turns_within_a_placement(self, harness: Harness) -> None:
        await deploy(harness, A100)
        many = [await submit(harness, A100, key="many") for _ in range(4)]
        few = await submit(harness, A100, key="few")
        worker_id = await worker(harness, gpu="a100")
        order = [run_id for _ in range(5) for run_id in await claimed(harness, worker_id)]
        assert set(order[:2]) == {many[0], few}
        assert order[2:] == many[1:]

    async def test_a_claim_fills_all_slots_from_all_queues(self, harness: Harness) -> None:
        await deploy(harness, A100, "trainer")
        await deploy(harness, None)
        runs = [await submit(harness, A100, "trainer") for _ in range(5)]
        runs += [await submit(harness, None) for _ in range(5)]
        worker_id = await worker(harness, gpu="a100")
        assert set(await claimed(harness, worker_id, 10)) == set(runs)

    async def test_what_runs_take_of_a_worker_is_theirs_while_they_go_on(self, harness: Harness) -> None:
        placement = takes(6)
        await deploy(harness, placement)
        for _ in range(4):
            await submit(harness, placement)
        worker_id = await worker(harness, memory=16)
        claims = await harness.store.runs.claim(worker_id, 8)
        assert len(claims) == 2
        assert await claimed(harness, worker_id, 8) == []
        (shown,) = await harness.store.workers.list()
        assert (shown.running, shown.used.memory, shown.offer.amounts.memory) == (2, 12 * GIB, 16 * GIB)
        await harness.finish(claims[0], COMPLETED)
        assert len(await claimed(harness, worker_id, 8)) == 1

    async def test_cores_and_gpus_are_counted_as_well(self, harness: Harness) -> None:
        placement = Placement(needs=Amounts(0, 1500, 1))
        await deploy(harness, placement)
        for _ in range(4):
            await submit(harness, placement)
        assert await claimed(harness, await worker(harness), 8) == []
        by_gpu = await registered(harness, Offer({}, Amounts(0, 64_000, 1)))
        by_cpu = await registered(harness, Offer({}, Amounts(0, 4_000, 8)))
        assert len(await claimed(harness, by_gpu, 8)) == 1
        assert len(await claimed(harness, by_cpu, 8)) == 2

    async def test_a_large_run_is_not_starved_by_small_ones(self, harness: Harness) -> None:
        large, small = takes(8), takes(2)
        await deploy(harness, large, "large")
        await deploy(harness, small, "small")
        worker_id = await registered(harness, Offer({}, Amounts(8 * GIB)), 10**12)
        for _ in range(8):
            await submit(harness, small, "small")
        claims = await harness.store.runs.claim(worker_id, 4)
        waits = await submit(harness, large, "large")
        await harness.finish(claims[0], COMPLETED)
        (again,) = await harness.store.runs.claim(worker_id, 4)
        harness.advance(31)
        for claim in (*claims[1:], again):
            await harness.finish(claim, COMPLETED)
            taken = await claimed(harness, worker_id, 4)
        assert taken == [waits]

    async def test_a_worse_worker_leaves_a_run_to_a_better_one_for_a_while(self, harness: Harness) -> None:
        await deploy(harness, EU)
        run_id = await submit(harness, EU)
        worse, better = await worker(harness, zone="us"), await worker(harness, zone="eu")
        left = await harness.store.runs.claim(worse, 8)
        assert (left, left.again_us) == ([], EU.patience_us)
        assert await claimed(harness, better) == [run_id]
        second = await submit(harness, EU)
        harness.advance(10.5)
        assert await claimed(harness, worse) == [second]

    async def test_nobody_waits_for_a_better_worker_without_room(self, harness: Harness) -> None:
        await deploy(harness, EU)
        first, second = await submit(harness, EU), await submit(harness, EU)
        worse, better = await worker(harness, zone="us"), await worker(harness, slots=1, zone="eu")
        assert await claimed(harness, better) == [first]
        assert await claimed(harness, worse) == [second]

    async def test_of_equal_workers_the_less_loaded_one_is_first(self, harness: Harness) -> None:
        await deploy(harness, A100)
        busy, idle = await worker(harness, gpu="a100"), await worker(harness, gpu="a100")
        for _ in range(4):
            await submit(harness, A100)
        harness.advance(1)
        assert len(await claimed(harness, busy, 4)) == 4
        run_id = await submit(harness, A100)
        harness.advance(-1)
        assert await claimed(harness, busy) == []
        assert await claimed(harness, idle) == [run_id]

    async def test_two_workers_never_get_the_same_placed_run(self, harness: Harness) -> None:
        await deploy(harness, A100)
        await asyncio.gather(*(submit(harness, A100) for _ in range(60)))
        workers = [await worker(harness, slots=100, gpu="a100") for _ in range(4)]
        harness.advance(1)
        stores, taken = (harness.store, harness.replica), list[RunId]()

        async def work(number: int) -> None:
            while claims := await stores[number % 2].runs.claim(workers[number], 4):
                taken.extend(claim.run_id for claim in claims)

        await asyncio.gather(*(work(number) for number in range(4)))
        while claims := await harness.store.runs.claim(workers[0], 4):
            taken.extend(claim.run_id for claim in claims)
        assert len(taken) == len(set(taken)) == 60


class PlacedRuns:
    async def test_a_run_that_comes_back_is_placed_as_before(self, harness: Harness) -> None:
        await deploy(harness, A100)
        run_id = await submit(harness, A100)
        other, has = await worker(harness), await worker(harness, gpu="a100")
        (claim,) = await harness.store.runs.claim(has, 1)
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [])
        assert await claimed(harness, other) == []
        (claim,) = await harness.store.runs.claim(has, 1)
        await harness.finish(claim, failed())
        harness.advance(3600)
        for worker_id in (other, has):
            await harness.store.workers.heartbeat(worker_id, LEASE_US)
        await harness.store.runs.promote_due(10)
        assert await claimed(harness, other) == []
        assert await claimed(harness, has) == [run_id]

    async def test_a_placed_run_can_be_cancelled_and_overdue(self, harness: Harness) -> None:
        await deploy(harness, A100)
        cancelled = await submit(harness, A100)
        new = replace(harness.new_run(), placement=A100.text(), queue_seconds=60.0)
        await harness.store.runs.create(new)
        assert (await harness.store.runs.cancel(cancelled, "key:ops")).state is RunState.CANCELLED
        harness.advance(61)
        assert await harness.store.runs.overdue(10) == [new.id]
        assert (await harness.store.runs.expire(new.id)).state is RunState.CANCELLED
        assert (await harness.store.workers.counts())["ready"] == 0
        assert await claimed(harness, await worker(harness, gpu="a100")) == []

    async def test_a_placed_run_passes_its_gates_first(self, harness: Harness) -> None:
        await deploy(harness, A100)
        gate = Gate("key:support:", 1, Hold.RUNNING)
        new = [replace(harness.new_run(gates=[gate]), placement=A100.text()) for _ in range(2)]
        runs = [(await harness.store.runs.create(each)).run_id for each in new]
        worker_id = await worker(harness, gpu="a100")
        (claim,) = await harness.store.runs.claim(worker_id, 8)
        assert claim.run_id == runs[0]
        await harness.finish(claim, COMPLETED)
        assert await claimed(harness, await worker(harness), 8) == []
        assert await claimed(harness, worker_id, 8) == runs[1:]

    async def test_what_is_live_now_says_where_waiting_runs_go(self, harness: Harness) -> None:
        """Both ways: a version that asks for more, and one that asks for nothing."""
        await deploy(harness, None)
        runs = [await submit(harness, None) for _ in range(3)]
        await deploy(harness, A100)
        other, has = await worker(harness), await worker(harness, gpu="a100")
        assert await claimed(harness, other, 8) == []
        assert await claimed(harness, has) == runs[:1]
        await deploy(harness, None)
        assert await claimed(harness, other, 8) == runs[1:]

    async def test_a_long_queue_is_placed_again_bit_by_bit(self, harness: Harness) -> None:
        await deploy(harness, A100)
        runs = {await submit(harness, A100) for _ in range(520)}
        await deploy(harness, None)
        while await harness.store.runs.review(10):
            pass
        worker_id, taken = await worker(harness), set[RunId]()
        while claims := await harness.store.runs.claim(worker_id, 100):
            taken |= {claim.run_id for claim in claims}
        assert taken == runs

    async def test_a_pending_run_tells_what_it_needs_and_who_is_there(self, harness: Harness) -> None:
        await deploy(harness, A100)
        await submit(harness, A100)
        run_id = await submit(harness, A100)
        worker_id = await worker(harness, memory=16, zone="us")
        waiting = await harness.store.runs.waiting(run_id)
        assert waiting is not None
        assert waiting.places is not None
        assert (waiting.ready, waiting.places.ahead, waiting.places.placement) == (2, 1, A100)
        (peer,) = waiting.places.peers
        assert (peer.id, peer.offer.labels, peer.slots) == (worker_id, {"zone": "us"}, 8)
        detailed = (await harness.store.runs.detail(run_id)).waiting
        assert detailed == replace(waiting, now_us=ANY)
        assert await harness.store.runs.queued("support", 10) == 2

    async def test_the_fleet_at_one_instant(self, harness: Harness) -> None:
        await deploy(harness, A100, "trainer")
        await deploy(harness, None)
        run_id = await submit(harness, None)
        for _ in range(3):
            await submit(harness, A100, "trainer")
        worker_id = await worker(harness, zone="us")
        await harness.store.runs.claim(worker_id, 8)
        await submit(harness, None)
        fleet = await harness.replica.workers.fleet()
        (shown,) = fleet.workers
        assert (shown.id, shown.running, shown.version, shown.draining) == (worker_id, 1, "1.2.3", False)
        assert [(run.run_id, run.agent, run.attempt) for run in fleet.runs[worker_id]] == [
            (run_id, "support", 1)
        ]
        assert {(queue.placement, queue.runs) for queue in fleet.queues} == {(A100.text(), 3), (None, 1)}


class Draining:
    async def test_a_worker_that_drains_gets_nothing_and_is_told(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.submit()
        await harness.store.workers.drain(worker_id)
        assert await claimed(harness, worker_id) == []
        beat = await harness.store.workers.heartbeat(worker_id, LEASE_US)
        assert (beat.drain, [run.run_id for run in beat.owned]) == (True, [claim.run_id])
        (shown,) = await harness.store.workers.list()
        assert shown.draining

    async def test_an_unknown_worker_cannot_be_drained(self, harness: Harness) -> None:
        with pytest.raises(NotFound):
            await harness.store.workers.drain(new_worker_id())

    async def test_heartbeats_tell_how_busy_the_least_loaded_other_is(self, harness: Harness) -> None:
        first, second = await worker(harness, slots=4), await worker(harness, slots=8)
        assert (await harness.store.workers.heartbeat(first, LEASE_US, 2)).least_load == 0
        assert (await harness.store.workers.heartbeat(second, LEASE_US, 2)).least_load == 0.5
        assert (await harness.store.workers.heartbeat(first, LEASE_US, 2)).least_load == 0.25
        await harness.store.workers.drain(second)
        assert (await harness.store.workers.heartbeat(first, LEASE_US, 2)).least_load is None

    async def test_a_worker_that_takes_nothing_now_says_why_and_nobody_waits_for_it(
        self, harness: Harness
    ) -> None:
        await deploy(harness, EU)
        held, other = await worker(harness, zone="eu"), await worker(harness, zone="us")
        await harness.store.workers.heartbeat(held, LEASE_US, 0, "its disk is full")
        run_id = await submit(harness, EU)
        shown = {each.id: each.hold for each in await harness.replica.workers.list()}
        assert shown == {held: "its disk is full", other: ""}
        assert (await harness.store.workers.heartbeat(other, LEASE_US)).least_load is None
        assert await claimed(harness, other) == [run_id]
        await harness.store.workers.drain(other)
        await deploy(harness, None, "plain")
        waiting = await harness.store.runs.waiting(await submit(harness, None, "plain"))
        assert waiting is not None
        assert (waiting.workers, waiting.slots) == (2, 0)
        assert waiting.held.endswith(": its disk is full")
        await harness.store.workers.heartbeat(held, LEASE_US)
        assert {each.hold for each in await harness.replica.workers.list()} == {""}


async def registered(harness: Harness, offer: Offer, lease_us: int = LEASE_US, slots: int = 8) -> WorkerId:
    worker_id = new_worker_id()
    await harness.store.workers.register(worker_id, "box", slots, "namespaces", lease_us, offer, "1.2.3")
    return worker_id
