"""Pauses: a run that asks has no worker, and goes on with the first answer or when its time is over."""

import asyncio
import dataclasses

import pytest

from ao.domain.errors import AlreadyAnswered, NotFound
from ao.domain.event import EventKind
from ao.domain.outcome import AttemptOutcome, OutcomeKind
from ao.domain.question import Asked, Pause, QuestionKind, QuestionState
from ao.domain.run import RunState
from ao.domain.step import StepState
from ao.ids import QuestionId, RunId
from ao.store.agenda import Due
from ao.store.question_records import NewAnswer, Question, QuestionFilter
from ao.store.records import Claim, Finished, Payload
from ao.testing.store_contract.harness import COMPLETED, LEASE_US, Harness, failed


def asked(path: str = "ask", timeout_seconds: float | None = None) -> Asked:
    return Asked(path, None, path, None, QuestionKind.QUESTION, "Which?", "same", '{"type":"string"}',
                 '{"of":[1]}', timeout_seconds)  # fmt: skip


def paused(*questions: Asked, wake_us: int | None = None) -> AttemptOutcome:
    return AttemptOutcome(OutcomeKind.PAUSED, pause=Pause(questions, wake_us))


def yes(question: Question, actor: str = "key:anna") -> NewAnswer:
    return NewAnswer(question.id, Payload('{"answer":"yes"}'), actor, "fine")


class Pausing:
    async def pause(self, harness: Harness, *questions: Asked) -> tuple[Claim, Finished]:
        _, claim = await harness.running()
        return claim, await harness.finish(claim, paused(*questions or [asked()]))

    async def open_of(self, harness: Harness, run_id: RunId) -> list[Question]:
        return list(await harness.store.questions.list(QuestionFilter(run_id=run_id), 10))

    async def test_a_run_that_asks_is_paused_and_has_no_worker(self, harness: Harness) -> None:
        claim, finished = await self.pause(harness)
        assert (finished.state, finished.due_us) == (RunState.PAUSED, None)
        run = await harness.store.runs.get(claim.run_id)
        assert (run.head.state, run.worker_id, run.error) == (RunState.PAUSED, None, None)
        (question,) = await self.open_of(harness, claim.run_id)
        assert (question.text, question.schema, question.details) == (
            "Which?",
            '{"type":"string"}',
            '{"of":[1]}',
        )
        assert (question.agent, question.answerable, question.answer) == ("support", True, None)
        (step,) = await harness.store.steps.list(claim.run_id, 10)
        assert (step.path, step.state) == ("ask", StepState.WAITING)
        assert (await harness.store.runs.attempts(claim.run_id))[0].kind is OutcomeKind.PAUSED
        kinds = [event.kind for event in await harness.events(claim.run_id)]
        assert kinds[2:] == [EventKind.QUESTION_ASKED, EventKind.ATTEMPT_FINISHED, EventKind.STATE]
        assert await harness.next_us(Due.RUNS) is None

    async def test_a_pause_is_not_ended_by_the_time_that_its_run_might_wait_for_a_worker(
        self, harness: Harness
    ) -> None:
        await harness.deploy()
        await harness.store.runs.create(dataclasses.replace(harness.new_run(), queue_seconds=60.0))
        claim = await harness.claim_one(await harness.register())
        await harness.finish(claim, paused(asked()))
        harness.advance(61)
        assert await harness.store.runs.overdue(10) == []
        await harness.store.runs.promote_due(10)
        assert (await harness.store.runs.get(claim.run_id)).head.state is RunState.PAUSED

    async def test_questions_are_read_oldest_first_and_ended_ones_apart(self, harness: Harness) -> None:
        asks = [(await self.pause(harness))[0].run_id for _ in range(3)]
        first = QuestionId("")

        async def found(where: QuestionFilter) -> list[RunId]:
            return [question.run_id for question in await harness.replica.questions.list(where, 10)]

        assert await found(QuestionFilter(after=first)) == asks
        (overview,) = (await harness.store.insights.overview(0)).questions
        assert (overview.agent, overview.count) == ("support", 3)
        (oldest,) = await self.open_of(harness, asks[0])
        assert overview.at_us == oldest.asked_us
        await harness.store.questions.answer(yes(oldest))
        await harness.store.runs.cancel(asks[1], "key:anna")
        assert await found(QuestionFilter(after=first)) == asks[2:]
        assert await found(QuestionFilter(after=oldest.id, open_only=False)) == asks[1:]
        assert await found(QuestionFilter(open_only=False, ended_only=True)) == [asks[1], asks[0]]

    async def test_an_answer_completes_the_step_and_makes_the_run_claimable(self, harness: Harness) -> None:
        claim, _ = await self.pause(harness)
        (question,) = await self.open_of(harness, claim.run_id)
        done = await harness.replica.questions.answer(yes(question))
        assert (done.state, done.actor, done.comment) == (QuestionState.ANSWERED, "key:anna", "fine")
        assert done.answer == Payload('{"answer":"yes"}')
        (step,) = await harness.store.steps.recorded(claim.run_id, 10)
        assert (step.state, step.value) == (StepState.COMPLETED, '{"answer":"yes"}')
        again = await harness.claim_one(await harness.register())
        assert (again.run_id, again.attempt, again.last_error) == (claim.run_id, 2, None)
        assert (await harness.finish(again, COMPLETED)).state is RunState.COMPLETED
        assert await harness.reasons(claim.run_id) == [
            "created", "claimed", "asked", "answered", "claimed", "completed"
        ]  # fmt: skip
        run = await harness.store.runs.get(claim.run_id)
        assert (run.head.failures, run.head.losses) == (0, 0)

    async def test_of_many_answers_at_once_one_counts(self, harness: Harness) -> None:
        claim, _ = await self.pause(harness)
        (question,) = await self.open_of(harness, claim.run_id)
        stores = (harness.store, harness.replica)
        given = await asyncio.gather(
            *(stores[number % 2].questions.answer(yes(question, f"key:{number}")) for number in range(8)),
            return_exceptions=True,
        )
        refused = [each for each in given if isinstance(each, AlreadyAnswered)]
        counted = [each for each in given if isinstance(each, Question)]
        assert (len(counted), len(refused)) == (1, 7)
        assert f"{counted[0].actor} has answered it" in refused[0].message
        with pytest.raises(NotFound):
            await harness.store.questions.answer(NewAnswer(QuestionId("none"), Payload("1"), "key:a", ""))

    async def test_time_that_is_over_lets_the_run_go_on_without_an_answer(self, harness: Harness) -> None:
        claim, finished = await self.pause(harness, asked(timeout_seconds=60), asked("later", 3600))
        assert finished.due_us is not None
        assert await harness.next_us(Due.RUNS) == finished.due_us
        assert await harness.store.runs.promote_due(10) == 0
        harness.advance(61)
        assert await harness.store.runs.promote_due(10) == 1
        questions = await harness.store.questions.list(QuestionFilter(run_id=claim.run_id, open_only=False), 10)
        states = {question.path: question.state for question in questions}
        assert states == {"ask": QuestionState.TIMED_OUT, "later": QuestionState.OPEN}
        step = await harness.store.steps.get(claim.run_id, "ask")
        assert step is not None
        assert (step.state, step.value) == (StepState.COMPLETED, '{"timed_out":true}')
        assert (await harness.reasons(claim.run_id))[-1] == "timed_out"
        (over,) = [question for question in questions if question.path == "ask"]
        with pytest.raises(AlreadyAnswered, match="its time is over"):
            await harness.store.questions.answer(yes(over))
        worker = await harness.register(LEASE_US * 1000)
        again = await harness.claim_one(worker)
        assert (await harness.finish(again, paused(asked("later", 3600)))).state is RunState.PAUSED
        harness.advance(3600)
        assert await harness.store.runs.promote_due(10) == 1
        assert await harness.next_us(Due.RUNS) is None

    async def test_an_answer_takes_its_timer_along(self, harness: Harness) -> None:
        claim, _ = await self.pause(harness, asked(timeout_seconds=60))
        (question,) = await self.open_of(harness, claim.run_id)
        await harness.store.questions.answer(yes(question))
        harness.advance(61)
        assert await harness.store.runs.promote_due(10) == 0

    async def test_an_answer_that_comes_while_the_run_is_executed_is_not_lost(self, harness: Harness) -> None:
        claim, _ = await self.pause(harness, asked("one"), asked("two"))
        one, two = sorted(await self.open_of(harness, claim.run_id), key=lambda question: question.path)
        await harness.store.questions.answer(yes(one))
        again = await harness.claim_one(await harness.register())
        await harness.store.questions.answer(yes(two))  # meanwhile
        finished = await harness.finish(again, paused(asked("two")))
        assert (finished.state, finished.due_us) == (RunState.PENDING, None)
        assert (await harness.reasons(claim.run_id))[-1] == "answered"
        events = await harness.events(claim.run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))

    async def test_a_question_that_is_asked_again_stays_the_same_one(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, paused(asked("one"), asked("two")))
        before = await self.open_of(harness, claim.run_id)
        await harness.store.questions.answer(yes(next(each for each in before if each.path == "one")))
        again = await harness.claim_one(worker_id)
        assert (await harness.finish(again, paused(asked("two")))).state is RunState.PAUSED
        (still,) = await self.open_of(harness, claim.run_id)
        assert still in before

    async def test_a_paused_run_is_cancelled_at_once_and_takes_no_answer(self, harness: Harness) -> None:
        claim, _ = await self.pause(harness, asked(timeout_seconds=60))
        (question,) = await self.open_of(harness, claim.run_id)
        assert (await harness.store.runs.cancel(claim.run_id, "key:dev")).state is RunState.CANCELLED
        with pytest.raises(AlreadyAnswered, match="its run is cancelled"):
            await harness.store.questions.answer(yes(question))
        assert await self.open_of(harness, claim.run_id) == []
        (counted,) = (await harness.store.insights.overview(0)).tallies
        assert (counted.state, counted.runs) == (RunState.CANCELLED, 1)
        harness.advance(61)
        assert await harness.store.runs.promote_due(10) == 0

    async def test_a_cancel_that_was_asked_for_wins_over_a_pause(self, harness: Harness) -> None:
        _, claim = await harness.running()
        await harness.store.runs.cancel(claim.run_id, "key:dev")
        assert (await harness.finish(claim, paused(asked()))).state is RunState.CANCELLED
        assert await self.open_of(harness, claim.run_id) == []

    async def test_a_sleep_is_a_delay_that_nobody_failed_for(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, failed())
        await harness.let_retries_be_due(worker_id)
        claim = await harness.claim_one(worker_id)
        assert claim.last_error is not None
        wake_us = (await harness.store.schedules.now_us()) + 60_000_000
        finished = await harness.finish(claim, paused(wake_us=wake_us))
        assert (finished.state, finished.due_us) == (RunState.PENDING, wake_us)
        run = await harness.store.runs.get(claim.run_id)
        assert (run.error, run.head.failures, run.due_us) == (None, 1, wake_us)
        assert await harness.next_us(Due.RUNS) == wake_us
        assert await harness.store.runs.promote_due(10) == 0
        harness.advance(61)
        assert await harness.store.runs.promote_due(10) == 1

    async def test_a_sleep_beside_a_question_wakes_the_run(self, harness: Harness) -> None:
        _, claim = await harness.running()
        wake_us = (await harness.store.schedules.now_us()) + 60_000_000
        await harness.finish(claim, paused(asked(), wake_us=wake_us))
        harness.advance(61)
        assert await harness.store.runs.promote_due(10) == 1
        assert (await harness.reasons(claim.run_id))[-1] == "woke"
        assert [question.state for question in await self.open_of(harness, claim.run_id)] == ["open"]

    async def test_open_questions_are_listed_by_agent_in_pages(self, harness: Harness) -> None:
        claim, _ = await self.pause(harness, asked("one"), asked("two"), asked("three"))
        found = await harness.store.questions.list(QuestionFilter(agents=["support", "other"]), 2)
        assert len(found) == 2
        rest = await harness.store.questions.list(QuestionFilter(before=found[-1].id), 2)
        assert {question.path for question in (*found, *rest)} == {"one", "two", "three"}
        assert await harness.store.questions.list(QuestionFilter(agents=["other"]), 2) == []
        assert (await harness.store.questions.get(found[0].id)) == found[0]
        assert claim.run_id == found[0].run_id

    async def test_the_time_of_a_pause_is_not_active_time(self, harness: Harness) -> None:
        claim, _ = await self.pause(harness)
        before = (await harness.store.runs.get(claim.run_id)).head.active_us
        harness.advance(3600)
        (question,) = await self.open_of(harness, claim.run_id)
        await harness.store.questions.answer(yes(question))
        assert (await harness.store.runs.get(claim.run_id)).head.active_us == before < 3600 * 10**6
