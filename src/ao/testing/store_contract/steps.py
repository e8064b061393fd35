"""Steps: written with their events, guarded by the fence, completed for ever."""

import dataclasses

import pytest

from ao.domain.errors import StaleWrite
from ao.domain.event import EventKind, NewEvent
from ao.domain.outcome import ErrorInfo, OutcomeKind
from ao.domain.step import Step, StepKind, StepState
from ao.store.records import Claim
from ao.testing.store_contract.harness import COMPLETED, Harness, digest, failed


def step(path: str, state: StepState = StepState.COMPLETED, *, at_us: int = 1, value: str = "1") -> Step:
    done = state is StepState.COMPLETED
    return Step(
        path=path,
        parent=None,
        name=path,
        key=None,
        kind=StepKind.STEP,
        state=state,
        attempt=1,
        started_us=at_us,
        finished_us=at_us + 1 if done else None,
        fingerprint="same",
        value=value if done else None,
    )


def said(*steps: Step) -> list[NewEvent]:
    return [
        NewEvent(
            EventKind.STEP_COMPLETED if each.completed else EventKind.STEP_STARTED,
            each.started_us,
            {"attempt": each.attempt, "path": each.path},
            each,
        )
        for each in steps
    ]


class Steps:
    async def append(self, harness: Harness, claim: Claim, *steps: Step) -> None:
        await harness.store.runs.append(claim.run_id, claim.fence, said(*steps))

    async def test_a_step_and_its_events_are_one_write(self, harness: Harness) -> None:
        _, claim = await harness.running()
        begun = step("a", StepState.STARTED)
        done = dataclasses.replace(
            step("a"), parent="p/ü", name="näme", key="k", kind=StepKind.ASK, once=True, value='"漢\\u0000"'
        )
        await self.append(harness, claim, begun, done)
        assert list(await harness.replica.steps.list(claim.run_id, 10)) == [done]
        kinds = [event.kind for event in await harness.events(claim.run_id)][2:]
        assert kinds == [EventKind.STEP_STARTED, EventKind.STEP_COMPLETED]

    async def test_all_of_a_record_comes_back(self, harness: Harness) -> None:
        _, claim = await harness.running()
        error = ErrorInfo(OutcomeKind.ERROR, "no \ud800 answer", type="ConnectionError", step="a")
        broken = dataclasses.replace(step("a", StepState.FAILED), finished_us=9, error=error)
        large = dataclasses.replace(step("b", at_us=2), value=None, value_blob=digest("large"))
        await self.append(harness, claim, broken, large)
        found = await harness.store.steps.list(claim.run_id, 10)
        assert list(found) == [broken, large]
        assert await harness.store.steps.get(claim.run_id, "b") == large
        assert await harness.store.steps.get(claim.run_id, "c") is None

    async def test_a_completed_step_never_changes(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await self.append(harness, claim, step("a", value="1"))
        await self.append(harness, claim, step("a", StepState.STARTED, at_us=5), step("a", value="2"))
        (kept,) = await harness.store.steps.list(claim.run_id, 10)
        assert (kept.state, kept.value, kept.started_us) == (StepState.COMPLETED, "1", 1)

    async def test_a_span_is_traced_anew_by_every_execution(self, harness: Harness) -> None:
        _, claim = await harness.running()
        span = dataclasses.replace(step("a", value="1"), kind=StepKind.SPAN)
        await self.append(harness, claim, span)
        await self.append(harness, claim, dataclasses.replace(span, started_us=7))
        (kept,) = await harness.store.steps.list(claim.run_id, 10)
        assert kept.started_us == 7

    async def test_an_old_fence_writes_neither_step_nor_event(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [])
        await harness.claim_one(worker_id)
        with pytest.raises(StaleWrite):
            await self.append(harness, claim, step("a"))
        with pytest.raises(StaleWrite):
            await harness.finish(claim, COMPLETED, said(step("a")))
        with pytest.raises(StaleWrite):
            await harness.store.runs.hand_back(claim.run_id, claim.fence, said(step("a")))
        assert list(await harness.store.steps.list(claim.run_id, 10)) == []

    async def test_steps_are_written_with_the_end_of_an_attempt_too(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, failed(), said(step("a")))
        await harness.let_retries_be_due(worker_id)
        claim = await harness.claim_one(worker_id)
        await harness.store.runs.hand_back(claim.run_id, claim.fence, said(step("b", at_us=2)))
        assert [each.path for each in await harness.store.steps.list(claim.run_id, 10)] == ["a", "b"]

    async def test_what_binds_the_next_execution_is_what_is_done_or_in_doubt(self, harness: Harness) -> None:
        _, claim = await harness.running()
        cut = step("cut", StepState.STARTED, at_us=2)
        doubt = dataclasses.replace(cut, path="doubt", once=True)
        raised = dataclasses.replace(doubt, path="raised", state=StepState.FAILED)
        refused = dataclasses.replace(raised, path="refused", once=False)
        span = dataclasses.replace(step("span"), kind=StepKind.SPAN)
        every = [step("done", at_us=3), cut, doubt, raised, refused, span]
        await self.append(harness, claim, *every)
        recorded = await harness.store.steps.recorded(claim.run_id, 10)
        assert [each.path for each in recorded] == ["doubt", "raised", "done"]
        assert {each.path for each in every if each.binding} == {"doubt", "raised", "done"}
        assert [each.path for each in await harness.store.steps.recorded(claim.run_id, 1)] == ["doubt"]

    async def test_steps_are_listed_in_the_order_of_their_start_in_pages(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await self.append(harness, claim, step("b", at_us=1), step("a", at_us=2), step("c", at_us=2))
        assert [each.path for each in await harness.store.steps.list(claim.run_id, 2)] == ["b", "a"]
        assert [each.path for each in await harness.store.steps.list(claim.run_id, 2, offset=2)] == ["c"]
        (outlined,) = await harness.store.steps.outline(claim.run_id, 2, offset=2)
        (listed,) = await harness.store.steps.list(claim.run_id, 2, offset=2)
        assert outlined == dataclasses.replace(listed, value=None, value_blob=None, error=None)

    async def test_a_parent_that_is_begun_again_stays_before_what_it_has_inside(self, harness: Harness) -> None:
        _, claim = await harness.running()
        parent = step("p", StepState.STARTED, at_us=1)
        inside = dataclasses.replace(step("p/a", at_us=2), parent="p")
        await self.append(harness, claim, parent, inside)
        await self.append(harness, claim, dataclasses.replace(parent, started_us=9, attempt=2))
        listed = await harness.store.steps.list(claim.run_id, 10)
        assert [(each.path, each.started_us) for each in listed] == [("p", 9), ("p/a", 2)]

    async def test_results_of_steps_are_in_use(self, harness: Harness) -> None:
        _, claim = await harness.running()
        large = dataclasses.replace(step("a"), value=None, value_blob=digest("large"))
        await self.append(harness, claim, large)
        _, digests = await harness.store.deployments.in_use()
        assert digest("large") in digests
