"""Leases: extended by heartbeats, ended by the database's clock; what is owned then is lost, once."""

import asyncio
from dataclasses import replace

import pytest

from ao.domain.errors import StaleWrite
from ao.domain.placement import Placement
from ao.domain.run import MAX_LOSSES, RunState
from ao.ids import new_worker_id
from ao.store.records import LostRuns
from ao.store.worker_records import Owned
from ao.testing.store_contract.harness import LEASE_US, Harness, failed


class Leases:
    async def test_a_worker_is_listed_with_what_it_runs(self, harness: Harness) -> None:
        worker_id, _ = await harness.running()
        (worker,) = await harness.store.workers.list()
        assert (worker.id, worker.name, worker.slots, worker.running) == (worker_id, "host", 8, 1)
        assert worker.sandbox == "namespaces"
        assert worker.lease_until_us == worker.heartbeat_us + LEASE_US

    async def test_heartbeats_keep_a_lease_alive(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        for _ in range(5):
            harness.advance(10)
            owned = (await harness.store.workers.heartbeat(worker_id, LEASE_US)).owned
            assert owned == [Owned(claim.run_id, claim.fence, False)]
            assert await harness.store.workers.sweep(10) == LostRuns([], [], [])
        assert (await harness.store.runs.get(claim.run_id)).head.state is RunState.RUNNING

    async def test_a_heartbeat_tells_whether_runs_wait(self, harness: Harness) -> None:
        worker_id, _ = await harness.running()
        assert not (await harness.store.workers.heartbeat(worker_id, LEASE_US)).waiting
        for placement in (None, Placement(requires={"gpu": "a100"}).text()):
            new = replace(harness.new_run(), placement=placement)
            await harness.store.runs.create(new)
            assert (await harness.store.workers.heartbeat(worker_id, LEASE_US)).waiting
            await harness.store.runs.cancel(new.id, "key:ops")
        assert not (await harness.store.workers.heartbeat(worker_id, LEASE_US)).waiting

    async def test_the_clock_is_the_one_that_leases_go_by(self, harness: Harness) -> None:
        before = await harness.store.workers.now_us()
        await harness.register()
        (worker,) = await harness.store.workers.list()
        assert before <= worker.heartbeat_us <= await harness.store.workers.now_us()
        harness.advance(10)
        assert await harness.store.workers.now_us() >= before + 10_000_000

    async def test_an_ended_lease_loses_its_runs(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        harness.advance(12.5)
        lost = await harness.store.workers.sweep(10)
        assert (lost.requeued, lost.failed, lost.cancelled) == ([claim.run_id], [], [])
        run = await harness.store.runs.get(claim.run_id)
        assert (run.head.state, run.head.losses, run.head.failures) == ("pending", 1, 0)
        assert run.error is not None
        assert run.error.message == "the worker stopped answering while the run was executing"
        (attempt,) = await harness.store.runs.attempts(claim.run_id)
        assert attempt.kind == "lost"
        assert (await harness.reasons(claim.run_id))[-1] == "lost"
        with pytest.raises(StaleWrite):
            await harness.store.workers.heartbeat(worker_id, LEASE_US)
        assert await harness.store.workers.list() == []

    async def test_time_after_the_last_heartbeat_does_not_count_as_active(self, harness: Harness) -> None:
        _, claim = await harness.running()
        harness.advance(86_400)
        await harness.store.workers.sweep(10)
        assert (await harness.store.runs.get(claim.run_id)).head.active_us < 5_000_000
        (attempt,) = await harness.store.runs.attempts(claim.run_id)
        assert attempt.finished_us is not None
        assert attempt.finished_us >= attempt.started_us

    async def test_nor_does_it_when_the_worker_is_retired_by_another(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        harness.advance(86_400)
        await harness.store.workers.retire(worker_id)
        assert (await harness.store.runs.get(claim.run_id)).head.active_us < 5_000_000

    async def test_a_lost_run_is_claimable_at_once_by_another_worker(self, harness: Harness) -> None:
        _, claim = await harness.running()
        harness.advance(13)
        await harness.store.workers.sweep(10)
        again = await harness.claim_one(await harness.register())
        assert (again.run_id, again.fence, again.attempt) == (claim.run_id, 2, 2)
        assert again.last_error == "the worker stopped answering while the run was executing"

    async def test_losses_are_capped(self, harness: Harness) -> None:
        await harness.deploy()
        run_id = await harness.submit()
        for number in range(1, MAX_LOSSES + 1):
            await harness.claim_one(await harness.register())
            harness.advance(13)
            lost = await harness.store.workers.sweep(10)
            assert (lost.failed == [run_id]) is (number == MAX_LOSSES)
        assert (await harness.store.runs.get(run_id)).head.state is RunState.FAILED
        assert (await harness.reasons(run_id))[-1] == "too_many_losses"

    async def test_a_lost_run_that_was_to_be_cancelled_is_cancelled(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.store.runs.cancel(claim.run_id, "key:ops")
        harness.advance(13)
        assert (await harness.store.workers.sweep(10)).cancelled == [claim.run_id]
        assert (await harness.store.runs.get(claim.run_id)).head.state is RunState.CANCELLED

    async def test_a_bounded_sweep_goes_on_where_it_stopped(self, harness: Harness) -> None:
        await harness.deploy()
        for _ in range(7):
            await harness.submit()
        worker_id = await harness.register()
        await harness.store.runs.claim(worker_id, 7)
        harness.advance(13)
        counts = [len((await harness.store.workers.sweep(3)).requeued) for _ in range(4)]
        assert counts == [3, 3, 1, 0]

    async def test_two_sweepers_lose_each_run_once(self, harness: Harness) -> None:
        await harness.deploy()
        for _ in range(12):
            await harness.submit()
        for _ in range(4):
            await harness.store.runs.claim(await harness.register(), 3)
        harness.advance(13)
        sweeps = await asyncio.gather(
            *(store.workers.sweep(100) for store in (harness.store, harness.replica) * 3)
        )
        lost = [run_id for sweep in sweeps for run_id in sweep.requeued]
        assert len(lost) == len(set(lost)) == 12

    async def test_a_retry_in_waiting_is_not_lost_with_its_worker(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.finish(claim, failed())
        harness.advance(13)
        assert await harness.store.workers.sweep(10) == LostRuns([], [], [])

    async def test_retiring_gives_everything_back_at_once(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        assert (await harness.store.workers.retire(worker_id)).requeued == [claim.run_id]
        assert await harness.store.workers.list() == []
        assert await harness.store.runs.claim(worker_id, 1) == []
        with pytest.raises(StaleWrite):
            await harness.store.workers.heartbeat(worker_id, LEASE_US)

    async def test_retiring_an_unknown_worker_loses_nothing(self, harness: Harness) -> None:
        assert await harness.store.workers.retire(new_worker_id()) == LostRuns([], [], [])

    async def test_an_ended_lease_that_nobody_swept_can_be_extended(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        harness.advance(13)
        await harness.store.workers.heartbeat(worker_id, LEASE_US)
        assert await harness.store.workers.sweep(10) == LostRuns([], [], [])
        assert (await harness.store.runs.get(claim.run_id)).head.state is RunState.RUNNING
