"""Schedules: what releases declare, what people make, and what becomes of ticks."""

import asyncio
from dataclasses import replace

import pytest

from ao.domain.errors import Conflict, NotFound, StaleWrite
from ao.domain.run import RunState
from ao.domain.schedule import Missed, Overlap, TickOutcome
from ao.ids import RunId
from ao.store.agenda import Due
from ao.store.records import Payload, RunFilter
from ao.store.schedules import Fired, Pause, PlannedTick, Schedule, TickFilter
from ao.testing.store_contract.harness import AGENT, COMPLETED, SECOND, Harness, digest, schedule

DAY = 86_400


def planned(harness: Harness, of: Schedule, tick_us: int) -> PlannedTick:
    return PlannedTick(tick_us, harness.new_run(schedule_id=of.id, tick_us=tick_us))


async def made(harness: Harness, **more: object) -> Schedule:
    """A schedule that somebody made."""
    return await harness.store.schedules.create(schedule(name="nightly", **more))  # type: ignore[arg-type]


async def fire(harness: Harness, name: str, *ticks: int, agent: str = AGENT) -> Fired:
    """Fire these ticks as they stand; fails when that is refused."""
    found = await harness.store.schedules.get(agent, name)
    assert found.next_us is not None
    wanted = [planned(harness, found, tick_us) for tick_us in ticks]
    fired = await harness.store.schedules.fire(found, wanted, found.next_us + 1)
    assert fired is not None
    return fired


async def history(harness: Harness, of: Schedule, **where: object) -> list[tuple[int, str, RunId | None]]:
    ticks = await harness.store.schedules.ticks(of.id, TickFilter(**where), 100)  # type: ignore[arg-type]
    return [(tick.tick_us, str(tick.outcome), tick.run_id) for tick in ticks]


class Schedules:
    async def test_a_release_brings_its_schedule(self, harness: Harness) -> None:
        wanted = schedule()
        await harness.deploy(schedule=wanted)
        assert await harness.store.schedules.list(AGENT) == [wanted]
        assert await harness.store.schedules.list(None) == [wanted]
        assert await harness.store.schedules.list("billing") == []

    async def test_a_release_without_one_removes_it(self, harness: Harness) -> None:
        await harness.deploy(schedule=schedule())
        await harness.deploy()
        assert await harness.store.schedules.list(AGENT) == []
        assert await harness.store.schedules.due(10) == []
        assert await harness.next_us(Due.TICKS) is None
        with pytest.raises(NotFound):
            await harness.store.schedules.get(AGENT, "cron")

    async def test_the_same_timetable_keeps_its_place(self, harness: Harness) -> None:
        first = schedule(next_us=100)
        await harness.deploy(schedule=first)
        policies = {"missed": Missed.ALL, "overlap": Overlap.QUEUE, "catch_up_us": 5}
        await harness.deploy(schedule=replace(schedule(next_us=999), **policies))  # type: ignore[arg-type]
        (kept,) = await harness.store.schedules.list(AGENT)
        assert kept == replace(first, revision=1, **policies)  # type: ignore[arg-type]

    async def test_another_timetable_starts_anew(self, harness: Harness) -> None:
        await harness.deploy(schedule=schedule(next_us=100))
        await harness.deploy(schedule=schedule(cron="5 * * * *", next_us=999))
        (changed,) = await harness.store.schedules.list(AGENT)
        assert (changed.cron, changed.next_us) == ("5 * * * *", 999)

    async def test_a_rollback_restores_the_version_s_schedule(self, harness: Harness) -> None:
        first = schedule()
        await harness.deploy(schedule=first)
        await harness.deploy()
        await harness.store.agents.move_pointer(AGENT, "prod", 1, "back", "key:ops", schedule(next_us=7))
        (restored,) = await harness.store.schedules.list(AGENT)
        assert (restored.id, restored.next_us) == (first.id, 7)

    async def test_a_pause_survives_deploys_and_versions_without_a_schedule(self, harness: Harness) -> None:
        await harness.deploy(schedule=schedule())
        (declared,) = await harness.store.schedules.list(AGENT)
        pause = Pause("too noisy", "key:ops", 5)
        await harness.store.schedules.change(replace(declared, pause=pause))
        await harness.deploy(schedule=schedule(cron="5 * * * *"))
        await harness.deploy()
        await harness.deploy(schedule=schedule())
        (again,) = await harness.store.schedules.list(AGENT)
        assert (again.pause, again.cron) == (pause, "0 9 * * *")
        assert await harness.store.schedules.due(10) == []

    async def test_what_somebody_made_is_kept_as_it_was_given(self, harness: Harness) -> None:
        await harness.deploy()
        wanted = schedule(
            name="nightly",
            overlap=Overlap.CANCEL_PREVIOUS,
            catch_up_us=3,
            start_us=1,
            end_us=9,
            priority=-4,
            input=Payload(blob=digest("input")),
            actor="key:ops",
            created_us=17,
            pause=Pause("later", "key:ops", 2),
        )
        assert await harness.store.schedules.create(wanted) == wanted
        assert await harness.replica.schedules.get(AGENT, "nightly") == wanted
        assert digest("input") in (await harness.store.deployments.in_use())[1]
        with pytest.raises(Conflict):
            await harness.store.schedules.create(schedule(name="nightly"))
        with pytest.raises(NotFound) as caught:
            await harness.store.schedules.get(AGENT, "nigthly")
        assert "nightly" in caught.value.hint

    async def test_releases_leave_alone_what_somebody_made(self, harness: Harness) -> None:
        await harness.deploy(schedule=schedule())
        mine = await made(harness)
        await harness.deploy()
        assert await harness.store.schedules.list(AGENT) == [mine]

    async def test_a_change_of_something_older_is_refused(self, harness: Harness) -> None:
        await harness.deploy()
        first = await made(harness)
        second = await harness.store.schedules.change(replace(first, cron="1 1 * * *", next_us=None))
        assert (second.cron, second.next_us, second.revision) == ("1 1 * * *", None, 1)
        with pytest.raises(StaleWrite):
            await harness.store.schedules.change(replace(first, cron="2 2 * * *"))
        with pytest.raises(StaleWrite):
            await harness.store.schedules.delete(first)
        await harness.store.schedules.delete(second)
        assert await harness.store.schedules.list(None) == []

    async def test_it_is_due_by_the_database_s_clock(self, harness: Harness) -> None:
        now_us = await harness.store.schedules.now_us()
        wanted = schedule(next_us=now_us + 3600 * SECOND)
        await harness.deploy(schedule=wanted)
        assert await harness.next_us(Due.TICKS) == wanted.next_us
        assert await harness.store.schedules.due(10) == []
        harness.advance(3601)
        assert await harness.store.schedules.due(10) == [wanted]
        assert wanted.next_us is not None
        assert await harness.store.schedules.now_us() >= wanted.next_us

    async def test_nothing_scheduled_is_never_due(self, harness: Harness) -> None:
        assert await harness.next_us(Due.TICKS) is None
        await harness.deploy()
        await made(harness, next_us=None)
        assert await harness.next_us(Due.TICKS) is None
        assert await harness.store.schedules.due(10) == []


class Ticks:
    async def test_many_replicas_fire_a_tick_once(self, harness: Harness) -> None:
        wanted = schedule(next_us=100)
        await harness.deploy(schedule=wanted)
        stores = (harness.store, harness.replica)
        fired = await asyncio.gather(
            *(
                stores[number % 2].schedules.fire(wanted, [planned(harness, wanted, 100)], 200)
                for number in range(20)
            )
        )
        assert len([done for done in fired if done is not None]) == 1
        (run,) = await harness.store.runs.list(RunFilter(), 10)
        (after,) = await harness.store.schedules.list(AGENT)
        assert (after.next_us, after.last_tick_us, after.last_run_id) == (200, 100, run.id)
        assert (run.schedule_id, run.tick_us) == (wanted.id, 100)
        assert await history(harness, wanted) == [(100, "fired", run.id)]
        assert after.last is not None
        assert after.last.run_id == run.id

    async def test_a_schedule_that_was_changed_or_paused_since_does_not_fire(self, harness: Harness) -> None:
        await harness.deploy()
        old = await made(harness, next_us=100)
        tick = planned(harness, old, 100)
        paused = await harness.store.schedules.change(replace(old, pause=Pause("", "key:ops", 1)))
        assert await harness.store.schedules.fire(old, [tick], 200) is None
        assert await harness.store.schedules.fire(paused, [tick], 200) is None
        assert await harness.store.runs.list(RunFilter(), 10) == []

    async def test_a_tick_that_fired_does_not_fire_again_when_the_plan_moves_back(
        self, harness: Harness
    ) -> None:
        await harness.deploy(schedule=schedule(next_us=100, overlap=Overlap.ALLOW))
        (of,) = await harness.store.schedules.list(AGENT)
        assert await harness.store.schedules.fire(of, [planned(harness, of, 100)], 50)
        again = [planned(harness, of, 50), planned(harness, of, 100)]
        assert await harness.store.schedules.fire(replace(of, next_us=50), again, 200)
        assert len(await harness.store.runs.list(RunFilter(), 10)) == 2

    async def test_several_missed_ticks_fire_together(self, harness: Harness) -> None:
        await harness.deploy(schedule=schedule(next_us=100))
        fired = await fire(harness, "cron", 100, 200, 300)
        assert len(fired.made) == 3
        assert (await harness.store.schedules.list(AGENT))[0].last_tick_us == 300

    async def test_ticks_without_a_run_are_noted_with_the_reason(self, harness: Harness) -> None:
        wanted = schedule(next_us=100)
        await harness.deploy(schedule=wanted)
        refused = PlannedTick(200, None, "no such field", TickOutcome.SKIPPED)
        missed = PlannedTick(100, None, "missed = latest")
        assert await harness.store.schedules.fire(wanted, [missed, refused], 400) == Fired([], [], [])
        (after,) = await harness.store.schedules.list(AGENT)
        assert (after.next_us, after.last_tick_us) == (400, None)
        ticks = await harness.store.schedules.ticks(wanted.id, TickFilter(), 10)
        assert [(tick.outcome, tick.reason) for tick in ticks] == [
            (TickOutcome.SKIPPED, "no such field"),
            (TickOutcome.MISSED, "missed = latest"),
        ]

    async def test_history_is_read_in_pages_and_by_outcome(self, harness: Harness) -> None:
        await harness.deploy()
        of = await made(harness, next_us=100, overlap=Overlap.ALLOW)
        await fire(harness, "nightly", 100, 200, 300)
        first = await harness.store.schedules.ticks(of.id, TickFilter(), 2)
        rest = await harness.store.schedules.ticks(of.id, TickFilter(before_us=first[-1].tick_us), 2)
        assert [tick.tick_us for tick in (*first, *rest)] == [300, 200, 100]
        assert len(await history(harness, of, since_us=200, outcome=TickOutcome.FIRED)) == 2
        assert await history(harness, of, outcome=TickOutcome.MISSED) == []

    async def test_a_backfill_makes_each_tick_once_unless_forced(self, harness: Harness) -> None:
        await harness.deploy()
        of = await made(harness, next_us=300)
        await harness.store.schedules.fire(of, [PlannedTick(300, None, "missed = skip")], 400)
        await fire(harness, "nightly", 400)
        runs = [planned(harness, of, tick).run for tick in (200, 300, 400)]
        wanted = [run for run in runs if run is not None]
        done = await harness.store.schedules.backfill(of, wanted, force=False)
        assert list(done.made) == [wanted[0].id, wanted[1].id]
        assert [line[:2] for line in await history(harness, of)] == [
            (400, "fired"),
            (300, "backfilled"),
            (200, "backfilled"),
        ]
        again = [replace(run, id=harness.new_run().id) for run in wanted]
        assert (await harness.store.schedules.backfill(of, again, force=False)).made == []
        forced = await harness.store.schedules.backfill(of, again, force=True)
        assert list(forced.made) == [run.id for run in again]

    async def test_two_backfills_of_one_range_share_its_ticks(self, harness: Harness) -> None:
        await harness.deploy()
        of = await made(harness)
        halves = [
            [run for tick in range(10, 20) if (run := planned(harness, of, tick).run) is not None]
            for _ in range(2)
        ]
        done = await asyncio.gather(
            harness.store.schedules.backfill(of, halves[0], force=False),
            harness.replica.schedules.backfill(of, halves[1], force=False),
        )
        assert sum(len(fired.made) for fired in done) == 10

    async def test_old_ticks_go_and_their_schedule_knows(self, harness: Harness) -> None:
        await harness.deploy()
        of = await made(harness, next_us=100, overlap=Overlap.ALLOW)
        await fire(harness, "nightly", 100, 200, 300)
        assert await harness.store.retention.drop_ticks(300, 1) == 1
        assert await harness.store.retention.drop_ticks(300, 10) == 1
        assert [line[0] for line in await history(harness, of)] == [300]
        assert (await harness.store.schedules.get(AGENT, "nightly")).forgotten_us == 200


class Overlaps:
    async def test_skip_names_the_run_that_is_in_the_way(self, harness: Harness) -> None:
        await harness.deploy()
        of = await made(harness, next_us=100)
        (run_id,) = (await fire(harness, "nightly", 100)).made
        fired = await fire(harness, "nightly", 200)
        assert fired == Fired([], [run_id], [])
        assert await history(harness, of, since_us=200) == [(200, "skipped", run_id)]
        await harness.store.runs.cancel(run_id, "key:ops")
        assert len((await fire(harness, "nightly", 300)).made) == 1

    async def test_skip_sees_runs_that_are_claimed_or_wait_for_a_retry(self, harness: Harness) -> None:
        await harness.deploy()
        await made(harness, next_us=100)
        await fire(harness, "nightly", 100)
        worker_id = await harness.register()
        claim = await harness.claim_one(worker_id)
        assert claim.tick_us == 100
        assert (await fire(harness, "nightly", 200)).made == []
        await harness.finish(claim, COMPLETED)
        assert len((await fire(harness, "nightly", 300)).made) == 1

    async def test_a_tick_that_found_no_room_fires_later_and_says_both(self, harness: Harness) -> None:
        await harness.deploy()
        of = await made(harness, next_us=100)
        full = PlannedTick(100, None, "the queue was full", TickOutcome.SKIPPED)
        held = await harness.store.schedules.fire(of, [full], 100)
        assert (held is not None, await history(harness, of)) == (True, [(100, "skipped", None)])
        first = (await fire(harness, "nightly", 100)).made[0]
        (tick,) = await harness.store.schedules.ticks(of.id, TickFilter(), 10)
        assert (tick.outcome, tick.run_id, tick.reason) == (TickOutcome.FIRED, first, "the queue was full")
        of = await harness.store.schedules.get(AGENT, "nightly")
        await harness.store.schedules.fire(of, [replace(full, tick_us=200)], 200)
        assert (await fire(harness, "nightly", 200)).skipped == [first]
        assert (await history(harness, of))[0] == (200, "skipped", first)

    async def test_allow_lets_them_run_beside_each_other(self, harness: Harness) -> None:
        await harness.deploy()
        await made(harness, next_us=100, overlap=Overlap.ALLOW)
        for tick in (100, 200, 300):
            assert len((await fire(harness, "nightly", tick)).made) == 1
        assert (await harness.store.workers.counts())["ready"] == 3

    async def test_cancel_previous_ends_what_was_before(self, harness: Harness) -> None:
        await harness.deploy()
        await made(harness, next_us=100, overlap=Overlap.CANCEL_PREVIOUS)
        (first,) = (await fire(harness, "nightly", 100)).made
        second = await fire(harness, "nightly", 200)
        assert second.cancelled == [(first, RunState.CANCELLED)]
        assert (await harness.store.runs.get(first)).head.state is RunState.CANCELLED
        worker_id = await harness.register()
        claim = await harness.claim_one(worker_id)
        third = await fire(harness, "nightly", 300)
        assert third.cancelled == [(claim.run_id, RunState.RUNNING)]
        assert (await harness.store.runs.get(claim.run_id)).head.cancel_requested

    async def test_a_trigger_runs_now_unless_a_run_is_in_the_way(self, harness: Harness) -> None:
        await harness.deploy()
        of = await made(harness)
        new = harness.new_run(schedule_id=of.id)
        fired = await harness.store.schedules.trigger(of, new)
        run = await harness.store.runs.get(fired.made[0])
        assert run.tick_us is not None
        assert abs(run.tick_us - run.created_us) < SECOND
        with pytest.raises(Conflict) as caught:
            await harness.replica.schedules.trigger(of, harness.new_run(schedule_id=of.id))
        assert caught.value.details["run_id"] == run.id
        beside = harness.new_run(schedule_id=of.id)
        allowed = replace(of, overlap=Overlap.ALLOW)
        assert (await harness.store.schedules.trigger(allowed, beside)).made == [beside.id]
        assert [line[1] for line in await history(harness, of)] == ["triggered", "triggered"]

    async def test_a_backfill_is_in_nobody_s_way(self, harness: Harness) -> None:
        await harness.deploy()
        of = await made(harness, next_us=300)
        run = planned(harness, of, 100).run
        assert run is not None
        await harness.store.schedules.backfill(of, [run], force=False)
        assert len((await fire(harness, "nightly", 300)).made) == 1
