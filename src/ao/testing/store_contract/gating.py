"""Gates: never more runs than fit, in order, whatever ends them; and nobody who has left is waited for."""

import asyncio
import dataclasses
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from ao.domain.run import MAX_LOSSES, RunState
from ao.ids import RunId, WorkerId
from ao.store.gates import Gate, Hold
from ao.store.question_records import QuestionFilter
from ao.store.records import Claim, RunFilter
from ao.store.schedules import PlannedTick
from ao.testing.store_contract.harness import COMPLETED, Harness, failed, schedule
from ao.testing.store_contract.pausing import asked, paused, yes

UNFINISHED = RunFilter(states=[RunState.PENDING, RunState.RUNNING])
NOTHING = {"ready": 0, "delayed": 0, "waiting": 0, "running": 0}


def key(name: str = "key", limit: int = 1) -> Gate:
    return Gate(name, limit, Hold.RUNNING)


def session(name: str = "session", limit: int = 1) -> Gate:
    return Gate(name, limit, Hold.OPEN)


async def submit(harness: Harness, *gates: Gate, priority: int = 0, agent: str = "support") -> RunId:
    new = harness.new_run(agent, priority=priority, gates=gates)
    return (await harness.store.runs.create(new)).run_id


async def ready(harness: Harness) -> tuple[WorkerId, Sequence[Claim]]:
    """All that can be claimed, and by whom."""
    await harness.deploy()
    worker_id = await harness.register()
    return worker_id, await harness.store.runs.claim(worker_id, 100)


async def claimed(harness: Harness, worker_id: WorkerId) -> list[RunId]:
    return [claim.run_id for claim in await harness.store.runs.claim(worker_id, 100)]


class Gating:
    async def test_as_many_as_fit_can_be_claimed_and_the_next_when_one_ends(self, harness: Harness) -> None:
        runs = [await submit(harness, key(limit=2)) for _ in range(5)]
        worker_id, claims = await ready(harness)
        assert [claim.run_id for claim in claims] == runs[:2]
        assert await harness.store.workers.counts() == {"ready": 0, "delayed": 0, "waiting": 3, "running": 2}
        assert (await harness.finish(claims[0], COMPLETED)).others_claimable
        assert await claimed(harness, worker_id) == runs[2:3]
        assert (await harness.finish(claims[1], failed(permanent=True))).others_claimable
        assert await claimed(harness, worker_id) == runs[3:4]

    async def test_a_run_is_told_what_it_waits_for(self, harness: Harness) -> None:
        runs = [await submit(harness, key(limit=2)) for _ in range(4)]
        urgent = await submit(harness, key(limit=2), priority=1)
        waits = [await harness.replica.gates.wait_of(run_id) for run_id in (*runs, urgent)]
        assert waits[:2] == [None, None]
        assert [(wait.gate, wait.limit, wait.ahead) for wait in waits[2:] if wait] == [
            ("key", 2, 1), ("key", 2, 2), ("key", 2, 0)
        ]  # fmt: skip
        assert {tuple(wait.holders) for wait in waits[2:] if wait} == {tuple(runs[:2])}

    async def test_higher_priority_is_let_in_first_then_the_older_one(self, harness: Harness) -> None:
        _, low, high, middle, later = [
            await submit(harness, key(), priority=priority) for priority in (0, -1, 9, 0, 0)
        ]
        worker_id, (claim,) = await ready(harness)
        order = []
        for _ in range(4):
            await harness.finish(claim, COMPLETED)
            (claim,) = await harness.store.runs.claim(worker_id, 100)
            order.append(claim.run_id)
        assert order == [high, middle, later, low]

    async def test_gates_do_not_stop_runs_that_have_others_or_none(self, harness: Harness) -> None:
        first = await submit(harness, key())
        await submit(harness, key())
        other = await submit(harness, key("other"))
        plain = await harness.submit()
        _, claims = await ready(harness)
        assert [claim.run_id for claim in claims] == [first, other, plain]

    async def test_each_run_is_let_in_by_its_own_limit(self, harness: Harness) -> None:
        await submit(harness, key(limit=3))
        await submit(harness, key(limit=3))
        narrow = await submit(harness, key(limit=1))
        wide = await submit(harness, key(limit=3))  # and nobody is overtaken
        worker_id, claims = await ready(harness)
        assert len(claims) == 2
        await harness.finish(claims[0], COMPLETED)
        assert await claimed(harness, worker_id) == []
        await harness.finish(claims[1], COMPLETED)
        assert await claimed(harness, worker_id) == [narrow, wide]

    async def test_a_run_that_waits_for_its_retry_lets_the_next_in(self, harness: Harness) -> None:
        first, second = [await submit(harness, key()) for _ in range(2)]
        worker_id, (claim,) = await ready(harness)
        assert (await harness.finish(claim, failed())).others_claimable
        (other,) = await harness.store.runs.claim(worker_id, 100)
        await harness.let_retries_be_due(worker_id)
        assert await claimed(harness, worker_id) == []
        assert (await harness.store.runs.get(first)).due_us is None
        await harness.finish(other, COMPLETED)
        assert (await harness.claim_one(worker_id)).attempt == 2
        assert other.run_id == second

    async def test_one_that_is_held_open_is_held_over_a_retry(self, harness: Harness) -> None:
        first, second = [await submit(harness, session()) for _ in range(2)]
        worker_id, (claim,) = await ready(harness)
        assert not (await harness.finish(claim, failed())).others_claimable
        assert await claimed(harness, worker_id) == []
        await harness.let_retries_be_due(worker_id)
        again = await harness.claim_one(worker_id)
        assert (again.run_id, again.attempt) == (first, 2)
        await harness.finish(again, COMPLETED)
        assert await claimed(harness, worker_id) == [second]

    @pytest.mark.parametrize("gate", [key(), session()])
    async def test_a_pause_leaves_a_gate_that_is_held_while_running(self, harness: Harness, gate: Gate) -> None:
        first, second = [await submit(harness, gate) for _ in range(2)]
        worker_id, (claim,) = await ready(harness)
        running = gate.hold is Hold.RUNNING
        assert (await harness.finish(claim, paused(asked()))).others_claimable is running
        taken = list(await harness.store.runs.claim(worker_id, 100))
        assert [other.run_id for other in taken] == ([second] if running else [])
        (question,) = await harness.store.questions.list(QuestionFilter(run_id=first), 10)
        await harness.store.questions.answer(yes(question))
        if running:
            assert await claimed(harness, worker_id) == []
            await harness.finish(taken[0], COMPLETED)
        assert await claimed(harness, worker_id) == [first]

    async def test_a_sleeper_that_wakes_comes_to_its_gate_again(self, harness: Harness) -> None:
        first, second = [await submit(harness, key()) for _ in range(2)]
        worker_id, (claim,) = await ready(harness)
        now_us = await harness.store.schedules.now_us()
        await harness.finish(claim, paused(asked(timeout_seconds=60), wake_us=now_us + 1000))
        (other,) = await harness.store.runs.claim(worker_id, 100)
        await harness.let_retries_be_due(worker_id)
        wait = await harness.store.gates.wait_of(first)
        assert wait is not None
        assert list(wait.holders) == [second]
        await harness.finish(other, COMPLETED)
        assert await claimed(harness, worker_id) == [first]

    async def test_a_lost_worker_leaks_nothing_and_its_run_keeps_its_place(self, harness: Harness) -> None:
        first, second = [await submit(harness, key()) for _ in range(2)]
        await ready(harness)
        harness.advance(13)
        assert (await harness.store.workers.sweep(10)).requeued == [first]
        worker_id = await harness.register()
        (again,) = await harness.store.runs.claim(worker_id, 100)
        assert again.run_id == first
        await harness.store.workers.retire(worker_id)
        worker_id = await harness.register()
        (again,) = await harness.store.runs.claim(worker_id, 100)
        await harness.finish(again, COMPLETED)
        assert await claimed(harness, worker_id) == [second]

    async def test_a_run_that_was_lost_too_often_lets_the_next_in(self, harness: Harness) -> None:
        await harness.deploy()
        first, second = [await submit(harness, session(), key()) for _ in range(2)]
        for _ in range(MAX_LOSSES):
            assert (await harness.claim_one(await harness.register())).run_id == first
            harness.advance(13)
            await harness.store.workers.sweep(10)
        assert (await harness.store.runs.get(first)).head.state is RunState.FAILED
        assert await claimed(harness, await harness.register()) == [second]

    async def test_handing_back_keeps_the_place(self, harness: Harness) -> None:
        first, _ = [await submit(harness, key()) for _ in range(2)]
        worker_id, (claim,) = await ready(harness)
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [])
        assert await claimed(harness, worker_id) == [first]

    async def test_cancelling_works_wherever_a_run_stands(self, harness: Harness) -> None:
        cancel = harness.store.runs.cancel
        runs = [await submit(harness, key()) for _ in range(6)]
        assert not (await cancel(runs[1], "key:ops")).others_claimable  # it waits
        assert (await cancel(runs[0], "key:ops")).others_claimable  # it is claimable
        worker_id, (claim,) = await ready(harness)
        assert claim.run_id == runs[2]
        await cancel(runs[2], "key:ops")  # it runs: its worker has to end it
        assert await claimed(harness, worker_id) == []
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [])
        (claim,) = await harness.store.runs.claim(worker_id, 100)
        assert (claim.run_id, (await harness.store.runs.get(runs[2])).head.state) == (runs[3], "cancelled")
        await harness.finish(claim, failed())
        await cancel(runs[3], "key:ops")  # it waits for its retry
        (claim,) = await harness.store.runs.claim(worker_id, 100)
        await harness.finish(claim, paused(asked()))
        await cancel(runs[4], "key:ops")  # it is paused
        assert await claimed(harness, worker_id) == [runs[5]]

    async def test_a_paused_run_that_holds_a_gate_gives_it_up_when_cancelled(self, harness: Harness) -> None:
        first, second = [await submit(harness, session()) for _ in range(2)]
        worker_id, (claim,) = await ready(harness)
        await harness.finish(claim, paused(asked()))
        assert (await harness.store.runs.cancel(first, "key:ops")).others_claimable
        assert await claimed(harness, worker_id) == [second]

    async def test_runs_without_a_deployment_keep_their_place(self, harness: Harness) -> None:
        runs = [await submit(harness, key(), agent="ghost") for _ in range(3)]
        worker_id, claims = await ready(harness)
        assert claims == []
        await harness.store.runs.cancel(runs[0], "key:ops")
        assert await harness.store.runs.claim(worker_id, 100) == []
        await harness.deploy("ghost")
        (claim,) = await harness.store.runs.claim(worker_id, 100)
        await harness.finish(claim, COMPLETED)
        assert [claim.run_id, *await claimed(harness, worker_id)] == runs[1:]

    async def test_a_request_that_is_repeated_waits_once(self, harness: Harness) -> None:
        await submit(harness, key())
        new = [harness.new_run(key="k", gates=[key()]) for _ in range(2)]
        assert [(await harness.store.runs.create(run)).is_new for run in new] == [True, False]
        assert (await harness.store.workers.counts())["waiting"] == 1
        assert await harness.store.runs.queued(None, 100) == 2
        assert await harness.store.runs.queued("support", 100) == 2
        assert await harness.store.runs.queued("support", 1) == 1

    async def test_ticks_of_a_schedule_may_wait_for_each_other(self, harness: Harness) -> None:
        plan = schedule(next_us=10)
        await harness.deploy(schedule=plan)
        ticks = [
            harness.new_run(schedule_id=plan.id, tick_us=tick, gates=[session(plan.id)]) for tick in (10, 11)
        ]
        planned = [PlannedTick(tick_us, run) for tick_us, run in zip((10, 11), ticks, strict=True)]
        assert await harness.store.schedules.fire(plan, planned, 12)
        worker_id = await harness.register()
        claim = await harness.claim_one(worker_id)
        await harness.finish(claim, COMPLETED)
        assert await claimed(harness, worker_id) == [ticks[1].id]


class SeveralGates:
    async def test_a_run_is_claimable_when_it_holds_all_of_them(self, harness: Harness) -> None:
        talk, work = [await submit(harness, gate) for gate in (session(), key())]
        both = await submit(harness, key(), session())
        worker_id, claims = await ready(harness)
        assert [claim.run_id for claim in claims] == [talk, work]
        await harness.finish(claims[0], COMPLETED)
        assert await claimed(harness, worker_id) == []
        wait = await harness.store.gates.wait_of(both)
        assert wait is not None
        assert (wait.gate, wait.holders) == ("key", [work])
        await harness.finish(claims[1], COMPLETED)
        assert await claimed(harness, worker_id) == [both]

    async def test_a_session_goes_on_in_order_although_one_run_waits_elsewhere(self, harness: Harness) -> None:
        await submit(harness, key())
        first = await submit(harness, session(), key())
        second = await submit(harness, session())
        worker_id, (claim,) = await ready(harness)
        await harness.finish(claim, COMPLETED)
        (claim,) = await harness.store.runs.claim(worker_id, 100)
        assert claim.run_id == first
        await harness.finish(claim, COMPLETED)
        assert await claimed(harness, worker_id) == [second]

    async def test_one_that_pauses_holds_its_session_and_not_its_key(self, harness: Harness) -> None:
        first = await submit(harness, session(), key())
        same_session, same_key = await submit(harness, session()), await submit(harness, key())
        worker_id, (claim,) = await ready(harness)
        await harness.finish(claim, paused(asked()))
        (other,) = await harness.store.runs.claim(worker_id, 100)
        assert other.run_id == same_key
        (question,) = await harness.store.questions.list(QuestionFilter(run_id=first), 10)
        await harness.store.questions.answer(yes(question))
        assert await claimed(harness, worker_id) == []
        await harness.finish(other, COMPLETED)
        (claim,) = await harness.store.runs.claim(worker_id, 100)
        assert claim.run_id == first
        await harness.finish(claim, COMPLETED)
        assert await claimed(harness, worker_id) == [same_session]

    async def test_cancelling_one_that_waits_gives_up_what_it_holds_already(self, harness: Harness) -> None:
        await submit(harness, key())
        waits = await submit(harness, session(), key())
        talk = await submit(harness, session())
        worker_id, _ = await ready(harness)
        assert (await harness.store.runs.cancel(waits, "key:ops")).others_claimable
        assert await claimed(harness, worker_id) == [talk]

    async def test_one_that_nobody_takes_in_time_is_cancelled_at_its_gate(self, harness: Harness) -> None:
        await submit(harness, key())
        new = dataclasses.replace(harness.new_run(gates=[key()]), queue_seconds=60.0)
        late = (await harness.store.runs.create(new)).run_id
        after = await submit(harness, key())
        _, claims = await ready(harness)
        harness.advance(61)
        assert await harness.store.runs.overdue(10) == [late]
        ended = await asyncio.gather(*(each.runs.expire(late) for each in (harness.store, harness.replica)))
        assert sorted(each.changed for each in ended) == [False, True]
        assert await harness.reasons(late) == ["created", "queue_timeout"]
        assert (await harness.finish(claims[0], COMPLETED)).others_claimable
        assert await claimed(harness, await harness.register()) == [after]

    async def test_many_workers_at_once_never_exceed_a_limit_and_finish_all(self, harness: Harness) -> None:
        """Crossing gates, retries and cancels, from several connections at the same time."""
        dice = random.Random(7)  # noqa: S311 - the same on every run
        await harness.deploy()
        limits = {**{f"key:{n}": 1 + n % 3 for n in range(4)}, **{f"session:{n}": 1 for n in range(5)}}

        def some_gates() -> list[Gate]:
            keys = dice.sample(range(4), dice.choice([0, 1, 1, 2]))
            talks = dice.sample(range(5), dice.choice([0, 1, 2]))
            return [key(f"key:{n}", 1 + n % 3) for n in keys] + [session(f"session:{n}") for n in talks]

        new = [harness.new_run(gates=some_gates(), priority=dice.choice([0, 0, 1])) for _ in range(120)]
        gates_of = {run.id: run.gates for run in new}
        stores = (harness.store, harness.replica)
        await asyncio.gather(*(stores[number % 2].runs.create(run) for number, run in enumerate(new)))
        inside: Counter[str] = Counter()

        def count(run_id: RunId, by: int) -> None:
            for gate in gates_of[run_id]:
                inside[gate.name] += by
                assert inside[gate.name] <= limits[gate.name]

        async def work(number: int) -> None:
            runs = stores[number % 2].runs
            worker_id = await harness.register(lease_us=10**15)
            while await runs.list(UNFINISHED, 1):
                if dice.random() < 0.2:
                    await runs.cancel(dice.choice(new).id, "key:ops")
                for claim in await runs.claim(worker_id, 3):
                    count(claim.run_id, 1)
                    await asyncio.sleep(0)
                    count(claim.run_id, -1)
                    await harness.finish(claim, dice.choice([COMPLETED, COMPLETED, failed()]))
                harness.advance(61)
                await runs.promote_due(100)

        async with asyncio.timeout(60):
            await asyncio.gather(*(work(number) for number in range(6)))
        assert await harness.store.workers.counts() == NOTHING
        # Nobody is left behind in a gate either.
        again = [await submit(harness, *gates) for gates in gates_of.values()]
        claims = await harness.store.runs.claim(await harness.register(lease_us=10**15), 1)
        assert claims[0].run_id == again[0]
