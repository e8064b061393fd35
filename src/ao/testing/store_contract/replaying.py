"""Runs that begin with the steps of others, and those that failed for good."""

import asyncio
import dataclasses

import pytest

from ao.domain.errors import Conflict, NotFound
from ao.domain.outcome import AttemptOutcome
from ao.domain.run import RunState
from ao.domain.step import Step, StepKind, StepState
from ao.ids import RunId
from ao.store.audit import AuditFilter, NewAudit
from ao.store.dead_letter_records import DeadLetterFilter
from ao.store.records import Created, Fork, RunFilter
from ao.testing.store_contract.harness import COMPLETED, Harness, failed
from ao.testing.store_contract.steps import said, step

ALL = DeadLetterFilter(open_only=False)


class Forking:
    async def source(self, harness: Harness) -> RunId:
        """a, outer [inner, last], then b which failed, and a span."""
        _, claim = await harness.running()
        outer = step("outer", at_us=2)
        steps = [
            step("a", at_us=1),
            outer,
            dataclasses.replace(step("outer/inner", at_us=3), parent="outer"),
            dataclasses.replace(step("outer/last", at_us=4), parent="outer"),
            step("outerwear", at_us=5),
            step("b", StepState.FAILED, at_us=6),
            dataclasses.replace(step("s", at_us=7), kind=StepKind.SPAN),
            dataclasses.replace(step("ask", at_us=8, value='{"timed_out":true}'), kind=StepKind.ASK),
        ]
        await harness.finish(claim, failed(permanent=True), said(*steps))
        return claim.run_id

    async def forked(self, harness: Harness, fork: Fork) -> list[Step]:
        run = dataclasses.replace(harness.new_run(), fork=fork, lineage=fork.of)
        await harness.store.runs.create(run)
        made = await harness.store.runs.get(run.id)
        assert (made.fork_of, made.fork_step, made.lineage) == (fork.of, fork.step, fork.of)
        claim = await harness.claim_one(await harness.register())
        assert (claim.run_id, claim.forked, claim.attempt) == (run.id, True, 1)
        await harness.finish(claim, COMPLETED)
        return list(await harness.store.steps.list(run.id, 100))

    async def test_a_fork_has_what_began_before_its_step(self, harness: Harness) -> None:
        source = await self.source(harness)
        kept = await self.forked(harness, Fork(source, "outer/last"))
        assert [(each.path, each.value, each.attempt) for each in kept] == [
            ("a", "1", 0),
            ("outer/inner", "1", 0),
        ]
        assert await self.forked(harness, Fork(source, "a")) == []
        kept = await self.forked(harness, Fork(source, "b"))
        assert [each.path for each in kept] == ["a", "outer", "outer/inner", "outer/last", "outerwear"]

    async def test_a_replay_has_all_that_is_recorded_or_nothing(self, harness: Harness) -> None:
        source = await self.source(harness)
        kept = await self.forked(harness, Fork(source))
        assert [each.path for each in kept] == ["a", "outer", "outer/inner", "outer/last", "outerwear"]
        assert await self.forked(harness, Fork(source, with_steps=False)) == []

    async def test_a_run_of_its_own_is_no_fork(self, harness: Harness) -> None:
        _, claim = await harness.running()
        run = await harness.store.runs.get(claim.run_id)
        assert (claim.forked, run.fork_of, run.fork_step, run.lineage) == (False, None, None, run.id)


class DeadLetters:
    async def die(self, harness: Harness, outcome: AttemptOutcome | None = None) -> RunId:
        await harness.submit()
        claim = await harness.claim_one(await harness.register())
        finished = await harness.finish(claim, outcome or failed(permanent=True))
        assert finished.state is RunState.FAILED
        return claim.run_id

    async def test_a_run_that_fails_for_good_is_one_and_others_are_not(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, failed())
        assert await harness.store.dead_letters.list(ALL, 10) == []
        await harness.let_retries_be_due(worker_id)
        await harness.finish(await harness.claim_one(worker_id), failed("KeyError: 12", permanent=True))
        (letter,) = await harness.replica.dead_letters.list(DeadLetterFilter(), 10)
        assert (letter.run_id, letter.agent, letter.version) == (claim.run_id, "support", 1)
        assert (letter.title, letter.reason, letter.replayed_by) == ("KeyError: 12", "permanent_error", None)
        assert await harness.store.dead_letters.get(claim.run_id) == letter
        await harness.submit()
        done = await harness.claim_one(worker_id)
        await harness.finish(done, COMPLETED)
        with pytest.raises(NotFound):
            await harness.store.dead_letters.get(done.run_id)

    async def test_those_that_failed_alike_are_a_group(self, harness: Harness) -> None:
        await harness.deploy()
        one = await self.die(harness, failed("KeyError: 1", permanent=True))
        two = await self.die(harness, failed("KeyError: 2", permanent=True))
        await self.die(harness, failed("OSError: disk", permanent=True))
        other, group = await harness.store.dead_letters.groups(DeadLetterFilter(agents=["support"]), 10)
        assert (group.count, group.title, group.newest, other.count) == (2, "KeyError: 2", two, 1)
        assert group.first_us <= group.last_us <= other.last_us
        assert (group.open, group.first_version, group.last_version, group.step) == (2, 1, 1, "")
        found = await harness.store.dead_letters.list(DeadLetterFilter(fingerprint=group.fingerprint), 10)
        assert [letter.run_id for letter in found] == [two, one]
        oldest = DeadLetterFilter(fingerprint=group.fingerprint, oldest_first=True)
        assert [letter.run_id for letter in await harness.store.dead_letters.list(oldest, 1)] == [one]
        before = DeadLetterFilter(fingerprint=group.fingerprint, before=two)
        assert [letter.run_id for letter in await harness.store.dead_letters.list(before, 10)] == [one]
        assert await harness.store.dead_letters.groups(DeadLetterFilter(agents=["nobody"]), 10) == []

    async def test_one_that_was_replayed_waits_no_longer(self, harness: Harness) -> None:
        await harness.deploy()
        run_id = await self.die(harness)
        replay = dataclasses.replace(harness.new_run(), fork=Fork(run_id), lineage=run_id)
        await harness.store.runs.create(replay)
        assert await harness.store.dead_letters.list(DeadLetterFilter(), 10) == []
        (letter,) = await harness.store.dead_letters.list(ALL, 10)
        assert (letter.replayed_by, letter.replay_state) == (replay.id, RunState.PENDING)
        (group,) = await harness.replica.dead_letters.groups(ALL, 10)
        assert (group.count, group.open) == (1, 0)
        assert await harness.store.dead_letters.groups(DeadLetterFilter(), 10) == []
        await harness.finish(await harness.claim_one(await harness.register()), COMPLETED)
        assert await harness.replica.dead_letters.replays(ALL) == {RunState.COMPLETED: 1}

    async def test_what_is_recorded_of_several_is_told_by_name(self, harness: Harness) -> None:
        await harness.deploy()
        for number in range(3):
            await harness.submit()
            claim = await harness.claim_one(await harness.register())
            steps = [
                step("a", at_us=1),
                step("b", StepState.FAILED if number else StepState.COMPLETED, at_us=2),
            ]
            steps.append(dataclasses.replace(step("s", at_us=3), kind=StepKind.SPAN))
            await harness.finish(claim, failed(permanent=True), said(*steps))
        found = await harness.replica.dead_letters.recorded(DeadLetterFilter(), 100)
        assert [(each.name, each.done, each.undone) for each in found] == [("a", 3, 0), ("b", 1, 2)]
        assert await harness.store.dead_letters.recorded(DeadLetterFilter(agents=["nobody"]), 100) == []
        oldest = DeadLetterFilter(oldest_first=True)
        firsts = [await harness.store.dead_letters.recorded(where, 1) for where in (oldest, DeadLetterFilter())]
        assert [(each.name, each.done) for first in firsts for each in first] == [
            ("a", 1), ("b", 1), ("a", 1), ("b", 0)
        ]  # fmt: skip

    async def test_of_many_replays_at_once_one_is_the_first(self, harness: Harness) -> None:
        await harness.deploy()
        run_id = await self.die(harness)
        fork = Fork(run_id, as_first=True)
        news = [dataclasses.replace(harness.new_run(), fork=fork, lineage=run_id) for _ in range(5)]
        entry = NewAudit("key:anna", "run.replay", f"run:{run_id}", "support", "{}", "", "", "")
        made = await asyncio.gather(
            *(harness.store.runs.create(new, entry) for new in news), return_exceptions=True
        )
        (first,) = [each for each in made if isinstance(each, Created)]
        assert sum(isinstance(each, Conflict) and str(first.run_id) in str(each) for each in made) == 4
        assert len(await harness.store.runs.list(RunFilter(agent="support"), 10)) == 2
        assert len(await harness.store.audit.list(AuditFilter(action="run.replay"), 10)) == 1

    async def test_old_ones_are_purged_with_their_steps(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.submit()
        claim = await harness.claim_one(await harness.register())
        await harness.finish(claim, failed(permanent=True), said(step("a")))
        now_us = await harness.store.schedules.now_us()
        harness.advance(3600)
        newer = await self.die(harness)
        assert (
            await harness.store.dead_letters.purge(DeadLetterFilter(["nobody"], open_only=False), now_us, 10)
            == 0
        )
        assert await harness.store.dead_letters.purge(ALL, now_us + 1, 10) == 1
        assert [letter.run_id for letter in await harness.store.dead_letters.list(ALL, 10)] == [newer]
        assert await harness.store.steps.list(claim.run_id, 10) == []
        assert (await harness.store.runs.get(claim.run_id)).head.state is RunState.FAILED
