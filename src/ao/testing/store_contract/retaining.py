"""What is removed by age, and what stays."""

import dataclasses

from ao.domain.webhook import DeliveryState
from ao.ids import RunId, WorkerId
from ao.store.audit import AuditFilter
from ao.store.gates import Gate, Hold
from ao.store.question_records import QuestionFilter
from ao.store.records import Claim, Webhook
from ao.store.webhooks import DeliveryFilter
from ao.testing.store_contract.auditing import entry
from ao.testing.store_contract.delivering import LEASE_US, ended, tried
from ao.testing.store_contract.harness import COMPLETED, SECOND, Harness, failed, log_event
from ao.testing.store_contract.pausing import asked, paused, yes

DAY = 86_400

GATE = Gate("key:support:acme", 1, Hold.RUNNING)


async def told_and_asking(harness: Harness) -> tuple[WorkerId, Claim]:
    """A run with a gate and a webhook that waits for an answer."""
    await harness.deploy()
    new = dataclasses.replace(harness.new_run(gates=[GATE]), webhook=Webhook("https://example.com", "SECRET"))
    await harness.store.runs.create(new)
    worker_id = await harness.register()
    claim = await harness.claim_one(worker_id)
    await harness.finish(claim, paused(asked()))
    return worker_id, claim


async def left_behind(harness: Harness, run_id: RunId) -> tuple[int, int]:
    """How many questions and steps are there of a run."""
    questions = await harness.store.questions.list(QuestionFilter(run_id=run_id, open_only=False), 10)
    return len(questions), len(await harness.store.steps.list(run_id, 10))


class Retaining:
    async def test_the_end_of_an_old_run_stays_and_its_seqs_are_not_used_again(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.store.runs.append(claim.run_id, claim.fence, [log_event(str(n)) for n in range(7)])
        await harness.finish(claim, COMPLETED)
        before = await harness.events(claim.run_id)
        harness.advance(2 * DAY)
        before_us = await harness.store.schedules.now_us() - DAY * SECOND
        page = await harness.replica.retention.ended_before(before_us, None, 10)
        ((run_id, up_to),) = page.runs
        assert (run_id, up_to, page.last) == (claim.run_id, len(before) - 1, None)
        dropped = [await harness.store.retention.drop_history(run_id, up_to, 4) for _ in range(3)]
        assert (sum(dropped), dropped[0]) == (len(before) - 1, 4)
        assert await harness.events(run_id) == [before[-1]]
        run = await harness.store.runs.get(run_id)
        assert (run.head.state.terminal, run.last_seq) == (True, len(before))
        assert (await harness.store.retention.ended_before(before_us, None, 10)).runs == []

    async def test_what_hangs_on_a_run_goes_with_its_history(self, harness: Harness) -> None:
        worker_id, claim = await told_and_asking(harness)
        (question,) = await harness.store.questions.list(QuestionFilter(run_id=claim.run_id), 10)
        await harness.store.questions.answer(yes(question))
        await harness.finish(await harness.claim_one(worker_id), COMPLETED)
        assert await left_behind(harness, claim.run_id) == (1, 1)
        before_us = await harness.store.schedules.now_us() + DAY * SECOND
        ((run_id, up_to),) = (await harness.store.retention.ended_before(before_us, None, 10)).runs
        await harness.store.retention.drop_history(run_id, up_to, 100)
        assert await left_behind(harness, claim.run_id) == (0, 0)
        # Its gate is free, and a replay of its end would tell nobody.
        await harness.store.runs.create(harness.new_run(gates=[GATE]))
        assert (await harness.claim_one(worker_id)).run_id != claim.run_id

    async def test_one_that_failed_keeps_what_it_may_go_on_from(self, harness: Harness) -> None:
        worker_id, claim = await told_and_asking(harness)
        (question,) = await harness.store.questions.list(QuestionFilter(run_id=claim.run_id), 10)
        await harness.store.questions.answer(yes(question))
        await harness.finish(await harness.claim_one(worker_id), failed(permanent=True))
        before_us = await harness.store.schedules.now_us() + DAY * SECOND
        ((run_id, up_to),) = (await harness.store.retention.ended_before(before_us, None, 10)).runs
        await harness.store.retention.drop_history(run_id, up_to, 100)
        assert await left_behind(harness, claim.run_id) == (1, 1)

    async def test_what_is_young_or_goes_on_keeps_everything(self, harness: Harness) -> None:
        worker_id, _ = await harness.running()
        now_us = await harness.store.schedules.now_us()
        assert (await harness.store.retention.ended_before(now_us + DAY * SECOND, None, 10)).runs == []
        await harness.submit()
        await harness.finish(await harness.claim_one(worker_id), COMPLETED)
        assert (await harness.store.retention.ended_before(now_us - DAY * SECOND, None, 10)).runs == []

    async def test_a_look_goes_on_where_the_last_one_stopped(self, harness: Harness) -> None:
        runs = [await harness.submit() for _ in range(5)]
        for run_id in runs:
            await harness.store.runs.cancel(run_id, "key:ops")
        later_us = await harness.store.schedules.now_us() + DAY * SECOND
        seen: list[RunId] = []
        after = None
        while True:
            page = await harness.store.retention.ended_before(later_us, after, 2)
            seen += [run_id for run_id, _ in page.runs]
            if page.last is None:
                break
            after = page.last
        assert seen == runs

    async def test_finished_deliveries_and_old_entries_go(self, harness: Harness) -> None:
        await ended(harness)
        await harness.store.audit.append(entry())
        later_us = await harness.store.schedules.now_us() + DAY * SECOND
        assert await harness.store.retention.drop_deliveries(later_us, 10) == 0  # it is still to be told
        (taken,) = await harness.store.webhooks.take_due(1, LEASE_US)
        await harness.store.webhooks.record(taken.id, tried(1), DeliveryState.DELIVERED, None)
        assert await harness.store.retention.drop_deliveries(later_us - 2 * DAY * SECOND, 10) == 0
        assert await harness.store.retention.drop_deliveries(later_us, 10) == 1
        assert await harness.store.webhooks.list(DeliveryFilter(), 10) == []
        assert await harness.store.retention.drop_audit(later_us - 2 * DAY * SECOND, 10) == 0
        assert await harness.store.retention.drop_audit(later_us, 10) == 1
        assert await harness.store.audit.list(AuditFilter(), 10) == []
