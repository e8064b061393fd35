"""Accepting runs: once per key, durable, readable at once, in pages without gaps."""

import asyncio
import dataclasses

import pytest

from ao.domain.errors import IdempotencyConflict, NotFound
from ao.domain.outcome import OutcomeKind
from ao.domain.run import RunState
from ao.ids import RunId, new_run_id
from ao.store.records import Payload, RunFilter
from ao.testing.store_contract.harness import COMPLETED, Harness, digest, failed


class Creating:
    async def test_a_created_run_reads_back_as_it_was_asked_for(self, harness: Harness) -> None:
        new = dataclasses.replace(harness.new_run(priority=7), lineage=new_run_id())
        created = await harness.store.runs.create(new)
        run = await harness.store.runs.get(new.id)
        assert created.is_new
        assert (run.id, run.agent, run.environment, run.input) == (new.id, "support", "prod", new.input)
        assert (run.priority, run.actor, run.lineage) == (7, "key:dev", new.lineage)
        assert run.head.state is RunState.PENDING
        assert (run.head.fence, run.head.attempt, run.last_seq) == (0, 0, 1)
        assert (run.version, run.output, run.error, run.worker_id) == (None, None, None, None)

    async def test_its_first_event_is_its_creation(self, harness: Harness) -> None:
        run_id = await harness.submit()
        (event,) = await harness.events(run_id)
        run = await harness.store.runs.get(run_id)
        assert event.seq == 1
        assert event.at_us == run.created_us
        assert event.data == {"from": None, "to": "pending", "reason": "created", "actor": "key:dev"}

    async def test_a_blob_input_is_kept_by_its_digest(self, harness: Harness) -> None:
        new = harness.new_run(payload=Payload(blob=digest("big")))
        await harness.store.runs.create(new)
        assert (await harness.store.runs.get(new.id)).input == Payload(None, digest("big"))

    async def test_text_of_every_kind_survives(self, harness: Harness) -> None:
        new = harness.new_run(payload=Payload('"ünï 漢字 😀 \\u0000 \\ud800 % :now %(x)s"'))
        await harness.store.runs.create(new)
        assert (await harness.store.runs.get(new.id)).input == new.input

    async def test_an_unknown_run_is_not_found(self, harness: Harness) -> None:
        with pytest.raises(NotFound):
            await harness.store.runs.get(RunId("nothing"))

    async def test_a_thousand_submits_with_one_key_are_one_run(self, harness: Harness) -> None:
        stores = (harness.store, harness.replica)
        created = await asyncio.gather(
            *(stores[number % 2].runs.create(harness.new_run(key="k")) for number in range(1000))
        )
        assert len({answer.run_id for answer in created}) == 1
        assert sum(answer.is_new for answer in created) == 1
        assert len(await harness.store.runs.list(RunFilter(), 10)) == 1
        assert (await harness.store.workers.counts())["ready"] == 1

    async def test_a_key_for_another_request_is_a_conflict(self, harness: Harness) -> None:
        first = await harness.store.runs.create(harness.new_run(key="k"))
        with pytest.raises(IdempotencyConflict) as caught:
            await harness.store.runs.create(harness.new_run(key="k", request_hash="other"))
        assert caught.value.details == {"run_id": first.run_id}
        assert len(await harness.store.runs.list(RunFilter(), 10)) == 1

    async def test_keys_belong_to_one_agent(self, harness: Harness) -> None:
        one = await harness.store.runs.create(harness.new_run(key="k"))
        other = await harness.store.runs.create(harness.new_run("billing", key="k"))
        assert one.is_new
        assert other.is_new

    async def test_a_refused_write_does_not_harm_those_committed_with_it(self, harness: Harness) -> None:
        await harness.store.runs.create(harness.new_run(key="k"))
        answers = await asyncio.gather(
            *(
                harness.store.runs.create(harness.new_run(key=None if number % 2 else "k", request_hash="x"))
                for number in range(40)
            ),
            return_exceptions=True,
        )
        refused = [answer for answer in answers if isinstance(answer, IdempotencyConflict)]
        assert len(refused) == 20
        assert len(await harness.store.runs.list(RunFilter(), 100)) == 21


class Reading:
    async def test_a_run_that_has_not_started_has_no_attempts(self, harness: Harness) -> None:
        run_id = await harness.submit()
        run = await harness.store.runs.get(run_id)
        detail = await harness.store.runs.detail(run_id)
        assert (detail.run, detail.attempts) == (run, [])

    async def test_a_run_that_does_not_exist_is_not_found(self, harness: Harness) -> None:
        with pytest.raises(NotFound):
            await harness.store.runs.detail(new_run_id())


class Listing:
    async def test_pages_are_complete_newest_first_and_without_repeats(self, harness: Harness) -> None:
        made = [await harness.submit() for _ in range(11)]
        seen: list[RunId] = []
        before = None
        while page := await harness.store.runs.list(RunFilter(before=before), 3):
            seen += [run.id for run in page]
            before = page[-1].id
            await harness.submit()  # newer ones do not disturb a reader of older pages
        assert seen == sorted(made, reverse=True)

    async def test_filters_combine(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy("billing")
        worker_id = await harness.register()
        for outcome in (COMPLETED, failed(permanent=True), failed()):
            await harness.submit()
            await harness.finish(await harness.claim_one(worker_id), outcome)
        pending = await harness.submit()
        other = (await harness.store.runs.create(harness.new_run("billing"))).run_id

        async def states(**where: object) -> list[RunState]:
            found = await harness.store.runs.list(RunFilter(**where), 100)  # type: ignore[arg-type]
            return [run.head.state for run in found]

        assert sorted(await states(agent="support")) == ["completed", "failed", "pending", "pending"]
        assert await states(states=[RunState.COMPLETED]) == ["completed"]
        assert await states(states=[RunState.FAILED, RunState.COMPLETED]) == ["failed", "completed"]
        assert await states(states=[RunState.PENDING], agent="billing") == ["pending"]
        assert await states(agent="support", version=1, states=[RunState.FAILED]) == ["failed"]
        assert await states(agent="support", version=2) == []
        assert await states(states=[RunState.PENDING], before=pending, agent="support") == ["pending"]
        newest = await harness.store.runs.list(RunFilter(states=[RunState.PENDING, RunState.FAILED]), 2)
        assert [run.id for run in newest] == [other, pending]

    async def test_a_listed_run_shows_its_last_error(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.finish(claim, failed("ValueError: first"))
        (run,) = await harness.store.runs.list(RunFilter(), 10)
        assert run.error is not None
        assert (run.error.kind, run.error.message) == (OutcomeKind.ERROR, "ValueError: first")
        assert run.error.traceback == "Traceback …"


class Queueing:
    async def test_what_can_be_claimed_is_counted_up_to_a_limit(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy("billing")
        for agent in ("support", "support", "billing"):
            await harness.store.runs.create(harness.new_run(agent))
        queued = harness.replica.runs.queued
        assert (await queued(None, 100), await queued(None, 2), await queued("support", 100)) == (3, 2, 2)
        await harness.store.runs.claim(await harness.register(), 3)
        assert await queued(None, 100) == 0
