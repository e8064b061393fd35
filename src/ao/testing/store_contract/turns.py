"""Turns: nobody waits behind all runs of somebody else, and priorities come first."""

from collections.abc import Sequence

from ao.ids import RunId, WorkerId
from ao.testing.store_contract.harness import COMPLETED, Harness


async def submit(harness: Harness, key: str | None, *, agent: str = "support", priority: int = 0) -> RunId:
    new = harness.new_run(agent, priority=priority, concurrency_key=key)
    return (await harness.store.runs.create(new)).run_id


async def one_by_one(harness: Harness, worker_id: WorkerId, count: int) -> list[RunId]:
    return [(await harness.claim_one(worker_id)).run_id for _ in range(count)]


class TakingTurns:
    async def worker(self, harness: Harness, *agents: str) -> WorkerId:
        for agent in agents or ("support",):
            await harness.deploy(agent)
        return await harness.register()

    async def test_a_later_key_does_not_wait_behind_all_of_an_earlier_one(self, harness: Harness) -> None:
        worker_id = await self.worker(harness)
        many = [await submit(harness, "many") for _ in range(6)]
        few = [await submit(harness, "few") for _ in range(2)]
        order = await one_by_one(harness, worker_id, 8)
        assert set(order[:4]) == {*many[:2], *few}
        assert [run_id for run_id in order if run_id in many] == many
        assert [run_id for run_id in order if run_id in few] == few

    async def test_agents_without_keys_take_turns_as_well(self, harness: Harness) -> None:
        worker_id = await self.worker(harness, "billing", "support")
        many = [await submit(harness, None, agent="support") for _ in range(5)]
        other = await submit(harness, None, agent="billing")
        keyed = await submit(harness, "acme", agent="support")
        order = await one_by_one(harness, worker_id, 7)
        assert set(order[:3]) == {many[0], other, keyed}
        assert order[3:] == many[1:]

    async def test_a_claim_of_many_is_shared(self, harness: Harness) -> None:
        worker_id = await self.worker(harness)
        runs = {key: [await submit(harness, key) for _ in range(20)] for key in ("a", "b", "c")}
        claims = await harness.store.runs.claim(worker_id, 8)
        taken = [claim.run_id for claim in claims]
        assert len(set(taken)) == 8
        for made in runs.values():
            own = [run_id for run_id in taken if run_id in made]
            assert own == made[: len(own)]
            assert len(own) >= 2

    async def test_a_claim_takes_all_there_is_of_every_priority(self, harness: Harness) -> None:
        worker_id = await self.worker(harness)
        keys: Sequence[str | None] = ("a", "a", "b", None, "c", "a")
        runs = [await submit(harness, key, priority=number % 2) for number, key in enumerate(keys)]
        claims = await harness.store.runs.claim(worker_id, 100)
        taken = [claim.run_id for claim in claims]
        assert set(taken[:3]) == set(runs[1::2])
        assert set(taken[3:]) == set(runs[::2])
        assert await harness.store.runs.claim(worker_id, 100) == []

    async def test_priority_comes_before_turns(self, harness: Harness) -> None:
        worker_id = await self.worker(harness)
        low = await submit(harness, "few")
        urgent = [await submit(harness, "many", priority=1) for _ in range(4)]
        assert await one_by_one(harness, worker_id, 5) == [*urgent, low]

    async def test_a_run_that_comes_back_takes_turns_by_its_key(self, harness: Harness) -> None:
        worker_id = await self.worker(harness)
        first = await submit(harness, "few")
        claim = await harness.claim_one(worker_id)
        many = [await submit(harness, "many") for _ in range(3)]
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [])
        assert first in await one_by_one(harness, worker_id, 2)
        await harness.store.runs.cancel(many[-1], "key:ops")
        (last,) = await harness.store.runs.claim(worker_id, 10)
        assert last.run_id == many[1]
        await harness.finish(last, COMPLETED)
        assert (await harness.store.workers.counts())["ready"] == 0
