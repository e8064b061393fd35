"""What a worker writes while it owns a run: events without gaps, one end, nothing with an old fence."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from ao.domain.errors import StaleWrite
from ao.domain.event import EventKind
from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.retry import RetryPolicy
from ao.domain.run import RunState
from ao.store.records import Claim, FinishAttempt, Payload
from ao.store.worker_records import Owned
from ao.testing.store_contract.harness import COMPLETED, NO_JITTER, Harness, digest, failed, log_event


class Attempts:
    async def test_appended_events_come_back_in_order(self, harness: Harness) -> None:
        _, claim = await harness.running()
        last = await harness.store.runs.append(
            claim.run_id, claim.fence, [log_event("one", 10), log_event("two \0 \ud800 漢", 11)]
        )
        events = await harness.store.runs.events(claim.run_id, 2, 10)
        assert last == 4
        assert [(event.seq, event.at_us) for event in events] == [(3, 10), (4, 11)]
        assert events[1].data["lines"] == [[11, "two \0 \ud800 漢"]]

    async def test_appending_nothing_changes_nothing(self, harness: Harness) -> None:
        _, claim = await harness.running()
        assert await harness.store.runs.append(claim.run_id, claim.fence, []) == 2
        assert len(await harness.events(claim.run_id)) == 2

    async def test_events_that_may_have_been_written_are_written_once(self, harness: Harness) -> None:
        _, claim = await harness.running()
        runs, first = harness.store.runs, [log_event("a", 1), log_event("b", 2)]
        assert await runs.append(claim.run_id, claim.fence, first, again=True) == 4  # they were not there
        await runs.cancel(claim.run_id, "somebody")
        assert await runs.append(claim.run_id, claim.fence, first, again=True) == 4
        assert await runs.append(claim.run_id, claim.fence, [log_event("b", 3)], again=True) == 6
        assert await runs.append(claim.run_id, claim.fence, [], again=True) == 6
        assert [event.seq for event in await harness.events(claim.run_id)] == list(range(1, 7))

    async def test_seqs_have_no_gaps_under_concurrency(self, harness: Harness) -> None:
        _, claim = await harness.running()
        stores = (harness.store, harness.replica)
        await asyncio.gather(
            *(
                stores[number % 2].runs.append(
                    claim.run_id, claim.fence, [log_event(f"{number}.{part}") for part in range(3)]
                )
                for number in range(40)
            )
        )
        events = await harness.events(claim.run_id)
        assert [event.seq for event in events] == list(range(1, 123))
        texts = [event.data["lines"][0][1] for event in events[2:]]  # type: ignore[index]
        groups = [texts[start : start + 3] for start in range(0, 120, 3)]
        assert all(len({str(text).split(".")[0] for text in group}) == 1 for group in groups)

    async def test_events_are_read_in_pages(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.store.runs.append(claim.run_id, claim.fence, [log_event(str(n)) for n in range(10)])
        page = await harness.store.runs.events(claim.run_id, 5, 3)
        assert [event.seq for event in page] == [6, 7, 8]

    async def test_completing_keeps_result_events_and_numbers(self, harness: Harness) -> None:
        _, claim = await harness.running()
        outcome = AttemptOutcome(
            OutcomeKind.COMPLETED,
            "42",
            exit_code=0,
            max_rss_bytes=1 << 40,
            cpu_seconds=0.25,
            sandbox="degraded",
        )
        finished = await harness.finish(claim, outcome, [log_event("bye")])
        run = await harness.store.runs.get(claim.run_id)
        assert (finished.state, finished.due_us, finished.last_seq) == (RunState.COMPLETED, None, 5)
        assert (run.head.state, run.output, run.error, run.last_seq) == ("completed", Payload("42"), None, 5)
        assert run.finished_us is not None
        assert (run.worker_id, run.head.attempt_started_us) == (None, None)
        (attempt,) = await harness.store.runs.attempts(claim.run_id)
        assert (attempt.kind, attempt.exit_code, attempt.max_rss_bytes) == ("completed", 0, 1 << 40)
        assert (attempt.cpu_seconds, attempt.sandbox, attempt.finished_us) == (
            0.25,
            "degraded",
            run.finished_us,
        )
        kinds = [event.kind for event in await harness.events(claim.run_id)]
        assert kinds == ["state", "state", "log", "attempt_finished", "state"]
        end = (await harness.events(claim.run_id))[-2]
        assert end.data["kind"] == "completed"
        assert end.data["exit_code"] == 0
        assert end.data["duration_us"] == run.head.active_us

    async def test_a_large_result_is_kept_by_its_digest(self, harness: Harness) -> None:
        _, claim = await harness.running()
        report = FinishAttempt(claim.run_id, claim.fence, NO_JITTER, 0.0, Payload(blob=digest("out")))
        await harness.store.runs.finish(report, AttemptOutcome(OutcomeKind.COMPLETED), [])
        assert (await harness.store.runs.get(claim.run_id)).output == Payload(None, digest("out"))

    async def test_no_result_is_no_payload(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.finish(claim, AttemptOutcome(OutcomeKind.COMPLETED))
        assert (await harness.store.runs.get(claim.run_id)).output is None

    async def test_retries_end_when_they_are_used_up(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        for _ in range(2):
            assert (await harness.finish(claim, failed())).state is RunState.PENDING
            await harness.let_retries_be_due(worker_id)
            claim = await harness.claim_one(worker_id)
        assert (await harness.finish(claim, failed("ValueError: last"))).state is RunState.FAILED
        run = await harness.store.runs.get(claim.run_id)
        assert run.error is not None
        assert run.error.message == "ValueError: last"
        assert (run.head.failures, run.head.attempt) == (3, 3)
        assert await harness.reasons(claim.run_id) == [
            "created", "claimed", "retry", "claimed", "retry", "claimed", "retries_exhausted"
        ]  # fmt: skip
        state = (await harness.events(claim.run_id))[-1]
        assert state.data["error"] == {
            "kind": "error", "message": "ValueError: last", "type": "ValueError", "hint": "try harder"
        }  # fmt: skip

    async def test_a_result_after_failures_clears_the_error(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, failed())
        await harness.let_retries_be_due(worker_id)
        await harness.finish(await harness.claim_one(worker_id), COMPLETED)
        run = await harness.store.runs.get(claim.run_id)
        assert (run.error, run.output) == (None, Payload('{"answer":42}'))
        assert [attempt.kind for attempt in await harness.store.runs.attempts(run.id)] == ["error", "completed"]

    async def test_the_end_of_the_first_attempt_is_not_the_start_of_the_second(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        first = (await harness.store.runs.get(claim.run_id)).started_us
        harness.advance(5)
        await harness.finish(claim, failed())
        await harness.let_retries_be_due(worker_id)
        again = await harness.claim_one(worker_id)
        run = await harness.store.runs.get(claim.run_id)
        assert run.started_us == first
        assert 5_000_000 <= again.active_us < 20_000_000

    async def test_a_retry_due_at_once_is_claimable_after_promotion(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        policy = RetryPolicy(initial_delay=0.0, jitter=False)
        await harness.finish(claim, failed(), policy=policy)
        assert await harness.store.runs.promote_due(10) == 1
        assert (await harness.claim_one(worker_id)).attempt == 2


STALE: dict[str, Callable[[Harness, Claim], Awaitable[object]]] = {
    "append": lambda h, c: h.store.runs.append(c.run_id, c.fence, [log_event("late")]),
    "append nothing": lambda h, c: h.store.runs.append(c.run_id, c.fence, []),
    "append again": lambda h, c: h.store.runs.append(c.run_id, c.fence, [log_event("late")], again=True),
    "finish": lambda h, c: h.finish(c, COMPLETED, [log_event("late")]),
    "hand_back": lambda h, c: h.store.runs.hand_back(c.run_id, c.fence, [log_event("late")]),
}


@pytest.mark.parametrize("late", STALE.values(), ids=STALE.keys())
class Fences:
    async def test_a_newer_owner_makes_it_stale(
        self, harness: Harness, late: Callable[[Harness, Claim], Awaitable[object]]
    ) -> None:
        worker_id, claim = await harness.running()
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [])
        await harness.claim_one(worker_id)
        await self._assert_refused(harness, claim, late)

    async def test_requeueing_makes_it_stale_before_the_next_claim(
        self, harness: Harness, late: Callable[[Harness, Claim], Awaitable[object]]
    ) -> None:
        _, claim = await harness.running()
        harness.advance(13)
        await harness.store.workers.sweep(10)
        await self._assert_refused(harness, claim, late)

    async def test_the_end_of_the_run_makes_it_stale(
        self, harness: Harness, late: Callable[[Harness, Claim], Awaitable[object]]
    ) -> None:
        _, claim = await harness.running()
        await harness.finish(claim, COMPLETED)
        await self._assert_refused(harness, claim, late)

    async def _assert_refused(
        self, harness: Harness, claim: Claim, late: Callable[[Harness, Claim], Awaitable[object]]
    ) -> None:
        before = await harness.store.runs.get(claim.run_id), await harness.events(claim.run_id)
        with pytest.raises(StaleWrite):
            await late(harness, claim)
        assert (await harness.store.runs.get(claim.run_id), await harness.events(claim.run_id)) == before


class HandingBack:
    async def test_the_run_is_claimable_at_once_and_nobody_is_to_blame(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [log_event("stopping")])
        run = await harness.store.runs.get(claim.run_id)
        assert (run.head.state, run.head.failures, run.head.losses, run.error) == ("pending", 0, 0, None)
        assert (await harness.reasons(claim.run_id))[-1] == "handed_back"
        again = await harness.claim_one(worker_id)
        assert (again.run_id, again.fence, again.last_error) == (claim.run_id, 2, None)
        assert (await harness.store.runs.attempts(claim.run_id))[0].finished_us is not None

    async def test_a_run_that_was_asked_to_cancel_is_cancelled_instead(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.store.runs.cancel(claim.run_id, "key:dev")
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [])
        assert (await harness.store.runs.get(claim.run_id)).head.state is RunState.CANCELLED
        assert await harness.store.runs.claim(worker_id, 1) == []


class Cancelling:
    async def test_a_pending_run_is_cancelled_at_once(self, harness: Harness) -> None:
        await harness.deploy()
        run_id = await harness.submit()
        result = await harness.store.runs.cancel(run_id, "key:ops")
        run = await harness.store.runs.get(run_id)
        assert (result.state, result.worker_id) == (RunState.CANCELLED, None)
        assert run.error == ErrorInfo(OutcomeKind.CANCELLED, "cancelled before it started")
        assert run.finished_us is not None
        assert (await harness.events(run_id))[-1].data["actor"] == "key:ops"
        assert await harness.store.runs.claim(await harness.register(), 1) == []
        assert (await harness.store.workers.counts())["ready"] == 0

    async def test_a_delayed_run_is_cancelled_at_once(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.finish(claim, failed())
        assert (await harness.store.runs.cancel(claim.run_id, "key:ops")).state is RunState.CANCELLED
        harness.advance(3600)
        assert await harness.store.runs.promote_due(10) == 0

    async def test_a_promoted_run_is_cancelled_at_once(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.finish(claim, failed())
        harness.advance(3600)
        await harness.store.runs.promote_due(10)
        await harness.store.runs.cancel(claim.run_id, "key:ops")
        assert await harness.store.workers.counts() == {"ready": 0, "delayed": 0, "waiting": 0, "running": 0}

    async def test_a_running_run_is_marked_for_its_worker(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        result = await harness.store.runs.cancel(claim.run_id, "key:ops")
        assert not (await harness.store.runs.cancel(claim.run_id, "key:dev")).changed
        assert (result.state, result.worker_id) == (RunState.RUNNING, worker_id)
        assert (await harness.store.runs.get(claim.run_id)).head.cancel_requested
        asked = (await harness.events(claim.run_id))[-1]
        assert (asked.seq, asked.kind, asked.data) == (3, EventKind.CANCEL_REQUESTED, {"actor": "key:ops"})
        assert (await harness.store.workers.heartbeat(worker_id, 12_000_000)).owned == [
            Owned(claim.run_id, claim.fence, True)
        ]
        error = ErrorInfo(OutcomeKind.CANCELLED, "stopped")
        await harness.finish(claim, AttemptOutcome(OutcomeKind.CANCELLED, error=error))
        assert (await harness.store.runs.get(claim.run_id)).head.state is RunState.CANCELLED
        assert (await harness.store.workers.heartbeat(worker_id, 12_000_000)).owned == []

    async def test_work_that_is_done_is_kept(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.store.runs.cancel(claim.run_id, "key:ops")
        assert (await harness.finish(claim, COMPLETED)).state is RunState.COMPLETED

    async def test_a_failure_after_a_cancel_is_not_retried(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.store.runs.cancel(claim.run_id, "key:ops")
        assert (await harness.finish(claim, failed())).state is RunState.CANCELLED

    @pytest.mark.parametrize("end", [COMPLETED, failed(permanent=True)], ids=["completed", "failed"])
    async def test_a_run_that_has_ended_is_left_alone(self, harness: Harness, end: AttemptOutcome) -> None:
        _, claim = await harness.running()
        state = (await harness.finish(claim, end)).state
        before = await harness.store.runs.get(claim.run_id)
        assert (await harness.store.runs.cancel(claim.run_id, "key:ops")).state is state
        assert await harness.store.runs.get(claim.run_id) == before

    async def test_what_no_worker_takes_in_time_is_cancelled(self, harness: Harness) -> None:
        await harness.deploy()
        late, taken, patient = (dataclasses.replace(harness.new_run(), queue_seconds=60.0) for _ in range(3))
        patient = dataclasses.replace(patient, queue_seconds=None)
        await harness.store.runs.create(taken)
        claim = await harness.claim_one(await harness.register())
        for run in (late, patient):
            await harness.store.runs.create(run)
        assert await harness.store.runs.overdue(10) == []
        harness.advance(61)
        await harness.finish(claim, failed())
        assert await harness.replica.runs.overdue(10) == [late.id]
        await harness.store.runs.promote_due(10)  # leaves it to who cancels
        assert await harness.store.runs.overdue(10) == [late.id]
        ended = await asyncio.gather(*(each.runs.expire(late.id) for each in (harness.store, harness.replica)))
        assert sorted(each.changed for each in ended) == [False, True]
        assert not (await harness.store.runs.expire(taken.id)).changed
        ended_run = await harness.store.runs.get(late.id)
        assert (ended_run.head.state, await harness.reasons(late.id)) == (
            RunState.CANCELLED,
            ["created", "queue_timeout"],
        )
        assert await harness.store.runs.overdue(10) == []
        assert (await harness.store.workers.counts())["ready"] == 1

    async def test_cancelling_twice_cancels_once(self, harness: Harness) -> None:
        run_id = await harness.submit()
        await harness.store.runs.cancel(run_id, "key:ops")
        assert (await harness.store.runs.cancel(run_id, "key:ops")).state is RunState.CANCELLED
        assert await harness.reasons(run_id) == ["created", "cancelled"]

    async def test_cancel_and_claim_at_once_have_one_winner_each(self, harness: Harness) -> None:
        await harness.deploy()
        runs = [await harness.submit() for _ in range(30)]
        worker_id = await harness.register()
        claims, _ = await asyncio.gather(
            asyncio.gather(*(harness.replica.runs.claim(worker_id, 3) for _ in range(10))),
            asyncio.gather(*(harness.store.runs.cancel(run_id, "key:ops") for run_id in runs)),
        )
        claimed = {claim.run_id for batch in claims for claim in batch}
        for run_id in runs:
            run = await harness.store.runs.get(run_id)
            expected = RunState.RUNNING if run_id in claimed else RunState.CANCELLED
            assert run.head.state is expected
            assert {event.seq for event in await harness.events(run_id)} - {3} == {1, 2}
        assert (await harness.store.workers.counts())["ready"] == 0
