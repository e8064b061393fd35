"""Who gets which run: order, limits, leases, and never two owners."""

import asyncio
from dataclasses import replace
from unittest.mock import ANY

import pytest

from ao.domain.run import RunState
from ao.ids import RunId, new_worker_id
from ao.store.agenda import Due
from ao.store.records import Payload
from ao.store.run_detail import RunDetail
from ao.testing.store_contract.harness import AGENT, COMPLETED, SECOND, Harness, digest, failed


class Claiming:
    async def test_a_claim_has_all_that_an_attempt_needs(self, harness: Harness) -> None:
        deployment = await harness.deploy()
        run_id = await harness.submit()
        claim = await harness.claim_one(await harness.register())
        assert claim.run_id == run_id
        assert (claim.agent, claim.environment, claim.fence, claim.attempt) == (AGENT, "prod", 1, 1)
        assert claim.input == Payload('{"question":"why"}')
        assert claim.last_error is None
        assert (claim.deployment_id, claim.version) == (deployment.id, 1)
        assert (claim.digest, claim.config, claim.env_key) == (
            digest("support-1"),
            '{"name":"support"}',
            "env",
        )
        assert claim.active_us == 0

    async def test_a_claimed_run_is_running_under_its_worker(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        run = await harness.store.runs.get(claim.run_id)
        assert run.head.state is RunState.RUNNING
        assert (run.worker_id, run.version, run.head.fence, run.head.attempt) == (worker_id, 1, 1, 1)
        assert run.started_us == run.head.attempt_started_us
        (attempt,) = await harness.store.runs.attempts(claim.run_id)
        assert (attempt.number, attempt.fence, attempt.worker_id) == (1, 1, worker_id)
        assert attempt.finished_us is None
        assert (await harness.events(claim.run_id))[-1].data == {
            "from": "pending",
            "to": "running",
            "reason": "claimed",
            "actor": f"worker:{worker_id}",
        }

    async def test_higher_priority_goes_first_then_the_older_one(self, harness: Harness) -> None:
        await harness.deploy()
        low, high, middle, later = [await harness.submit(priority) for priority in (-1, 9, 0, 0)]
        worker_id = await harness.register()
        first = await harness.store.runs.claim(worker_id, 3)
        rest = await harness.store.runs.claim(worker_id, 3)
        assert [claim.run_id for claim in first] == [high, middle, later]
        assert [claim.run_id for claim in rest] == [low]

    async def test_a_claim_of_nothing_takes_nothing(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.submit()
        assert await harness.store.runs.claim(await harness.register(), 0) == []

    async def test_two_workers_never_get_the_same_run(self, harness: Harness) -> None:
        await harness.deploy()
        await asyncio.gather(*(harness.submit() for _ in range(120)))
        stores = (harness.store, harness.replica)
        workers = [await harness.register() for _ in range(6)]
        taken: list[RunId] = []

        async def work(number: int) -> None:
            while claims := await stores[number % 2].runs.claim(workers[number], 4):
                taken.extend(claim.run_id for claim in claims)

        await asyncio.gather(*(work(number) for number in range(6)))
        # A claim skips rows that another one has locked: what was left behind is taken now.
        await work(0)
        assert len(taken) == len(set(taken)) == 120

    async def test_an_unknown_worker_gets_nothing(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.submit()
        assert await harness.store.runs.claim(new_worker_id(), 1) == []

    async def test_a_worker_whose_lease_has_ended_gets_nothing(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.submit()
        worker_id = await harness.register()
        harness.advance(12.001)
        assert await harness.store.runs.claim(worker_id, 1) == []
        await harness.store.workers.heartbeat(worker_id, 12_000_000)
        assert len(await harness.store.runs.claim(worker_id, 1)) == 1

    async def test_a_run_keeps_the_deployment_of_its_first_claim(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, failed())
        await harness.deploy()
        await harness.let_retries_be_due(worker_id)
        assert (await harness.claim_one(worker_id)).version == 1
        await harness.submit()
        assert (await harness.claim_one(worker_id)).version == 2

    async def test_a_pinned_run_uses_its_deployment(self, harness: Harness) -> None:
        old = await harness.deploy()
        await harness.deploy()
        new = harness.new_run(deployment_id=old.id)
        await harness.store.runs.create(new)
        assert (await harness.store.runs.get(new.id)).pinned
        assert (await harness.claim_one(await harness.register())).version == 1

    async def test_runs_without_anything_live_do_not_block_others(self, harness: Harness) -> None:
        await harness.deploy()
        stuck = [(await harness.store.runs.create(harness.new_run("ghost"))).run_id for _ in range(5)]
        run_id = await harness.submit(priority=-5)
        worker_id = await harness.register()
        assert (await harness.claim_one(worker_id)).run_id == run_id
        assert (await harness.store.runs.get(stuck[0])).head.state is RunState.PENDING
        assert await harness.store.runs.claim(worker_id, 1) == []
        await harness.deploy("ghost")
        claimed = await harness.store.runs.claim(worker_id, 10)
        assert [claim.run_id for claim in claimed] == stuck

    async def test_a_blocked_run_can_be_cancelled(self, harness: Harness) -> None:
        stuck = (await harness.store.runs.create(harness.new_run("ghost"))).run_id
        worker_id = await harness.register()
        assert await harness.store.runs.claim(worker_id, 1) == []
        await harness.store.runs.cancel(stuck, "key:dev")
        await harness.deploy("ghost")
        assert await harness.store.runs.claim(worker_id, 1) == []

    async def test_counts_say_where_runs_wait(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, failed())
        await harness.submit()
        await harness.submit()
        await harness.claim_one(worker_id)
        assert await harness.store.workers.counts() == {"ready": 1, "delayed": 1, "waiting": 0, "running": 1}


class Delays:
    async def test_a_retry_waits_until_it_is_due(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        finished = await harness.finish(claim, failed())
        run = await harness.store.runs.get(claim.run_id)
        assert finished.due_us == run.due_us is not None
        assert await harness.next_us(Due.RUNS) == run.due_us
        assert await harness.store.runs.promote_due(10) == 0
        assert await harness.store.runs.claim(worker_id, 1) == []
        harness.advance(60.5)
        await harness.store.workers.heartbeat(worker_id, 12_000_000)
        assert await harness.store.runs.promote_due(10) == 1
        assert await harness.next_us(Due.RUNS) is None
        assert (await harness.store.runs.get(claim.run_id)).due_us is None
        again = await harness.claim_one(worker_id)
        assert (again.run_id, again.attempt, again.fence) == (claim.run_id, 2, 2)
        assert again.last_error == "ValueError: no"
        attempts = await harness.store.runs.attempts(claim.run_id)
        assert [attempt.due_us for attempt in attempts] == [None, finished.due_us]
        again_run = await harness.store.runs.get(claim.run_id)
        assert await harness.store.runs.detail(claim.run_id) == RunDetail(again_run, attempts, None)

    async def test_a_pending_run_tells_what_it_waits_for(self, harness: Harness) -> None:
        _, claim = await harness.running()
        waits = await harness.submit()
        blocked = (await harness.store.runs.create(harness.new_run("nobody"))).run_id
        now_us = await harness.store.schedules.now_us()
        detail = await harness.replica.runs.detail(waits)
        found = detail.waiting
        assert found is not None
        assert found.now_us == pytest.approx(now_us, abs=5 * SECOND)
        assert await harness.store.runs.waiting(waits) == replace(found, now_us=ANY)
        assert (found.blocked, found.workers, found.slots, found.running, found.ready) == (False, 1, 8, 1, 2)
        assert await harness.store.runs.waiting(claim.run_id) is None
        await harness.store.runs.claim(await harness.register(), 8)
        at_last = await harness.store.runs.waiting(blocked)
        assert at_last is not None
        assert (at_last.blocked, at_last.workers, at_last.ready) == (True, 2, 0)

    async def test_promotion_is_bounded_and_in_order(self, harness: Harness) -> None:
        await harness.deploy()
        worker_id = await harness.register()
        for _ in range(5):
            await harness.submit()
            await harness.finish(await harness.claim_one(worker_id), failed())
        harness.advance(3600)
        counts = [await harness.store.runs.promote_due(2) for _ in range(4)]
        assert counts == [2, 2, 1, 0]

    async def test_two_promoters_promote_each_run_once(self, harness: Harness) -> None:
        await harness.deploy()
        worker_id = await harness.register()
        for _ in range(20):
            await harness.submit()
        for claim in await harness.store.runs.claim(worker_id, 20):
            await harness.finish(claim, failed())
        harness.advance(3600)
        stores = (harness.store, harness.replica)
        answers = await asyncio.gather(*(stores[number % 2].runs.promote_due(7) for number in range(8)))
        assert sum(answers) + await harness.store.runs.promote_due(100) == 20
        assert (await harness.store.workers.counts())["ready"] == 20

    async def test_a_completed_run_leaves_nothing_waiting(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.finish(claim, COMPLETED)
        assert await harness.next_us(Due.RUNS) is None
        assert await harness.store.workers.counts() == {"ready": 0, "delayed": 0, "waiting": 0, "running": 0}
