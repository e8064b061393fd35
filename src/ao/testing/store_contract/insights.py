"""Read models: tallies, overview, one agent, lists of runs and deployments."""

import pytest

from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import NotFound
from ao.domain.run import RunState
from ao.ids import RunId, new_run_id
from ao.store.insights import HOUR_US, AgentDetail, RunQuery, bucket_end_us, bucket_of
from ao.testing.store_contract.harness import (
    AGENT,
    COMPLETED,
    LEASE_US,
    SECOND,
    Harness,
    failed,
    release,
    schedule,
)

EVER = 0


async def ended(harness: Harness, *, agent: str = AGENT, fails: str = "", seconds: float = 0) -> RunId:
    """A run that ended; `fails` is its error."""
    run_id = (await harness.store.runs.create(harness.new_run(agent))).run_id
    worker_id = await harness.register()
    claim = await harness.claim_one(worker_id)
    assert claim.run_id == run_id
    harness.advance(seconds)
    await harness.finish(claim, failed(fails, permanent=True) if fails else COMPLETED)
    return run_id


def counts(found: AgentDetail) -> list[object]:
    return [number for tally in found.tallies for number in (tally.version, tally.bucket, tally.runs)]


class Tallies:
    async def test_every_ended_run_is_counted_with_version_state_and_duration(self, harness: Harness) -> None:
        await harness.deploy()
        await ended(harness, seconds=2)
        await harness.deploy()
        await ended(harness, seconds=2)
        await ended(harness, fails="ValueError: no")
        overview = await harness.replica.insights.overview(EVER)
        counted = sorted((tally.version, tally.state, tally.runs) for tally in overview.tallies)
        assert counted == [(1, "completed", 1), (2, "completed", 1), (2, "failed", 1)]
        assert all(tally.recent for tally in overview.tallies)
        slow = next(tally for tally in overview.tallies if tally.version == 1)
        assert bucket_end_us(slow.bucket - 1) < 2.05 * SECOND
        assert bucket_end_us(slow.bucket) >= 2 * SECOND
        assert sum(hour.runs for hour in overview.hours) == 3

    async def test_a_retry_and_a_lost_attempt_are_not_ends(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, failed())
        assert (await harness.store.insights.overview(EVER)).tallies == []
        await harness.let_retries_be_due(worker_id)
        await harness.claim_one(worker_id)
        await harness.store.workers.retire(worker_id)
        assert (await harness.store.insights.overview(EVER)).tallies == []

    async def test_a_cancelled_run_is_counted_once(self, harness: Harness) -> None:
        run_id = await harness.submit()
        await harness.store.runs.cancel(run_id, "key:ops")
        await harness.store.runs.cancel(run_id, "key:ops")
        (tally,) = (await harness.store.insights.overview(EVER)).tallies
        assert (tally.agent, tally.version, tally.state, tally.runs) == (AGENT, 0, RunState.CANCELLED, 1)

    async def test_only_hours_since_then_are_counted(self, harness: Harness) -> None:
        await harness.deploy()
        await ended(harness)
        harness.advance(2 * 3600)
        now_us = await harness.store.schedules.now_us()
        assert (await harness.store.insights.overview(now_us - HOUR_US)).tallies == []
        (old,) = (await harness.store.insights.overview(now_us - 3 * HOUR_US)).tallies
        assert not old.recent
        assert (await harness.store.insights.agent(AGENT, now_us - HOUR_US, 5)).tallies == []

    async def test_tidying_removes_old_hours_only(self, harness: Harness) -> None:
        await harness.deploy()
        await ended(harness)
        now_us = await harness.store.schedules.now_us()
        await harness.store.insights.tidy(now_us - 2 * HOUR_US)
        assert len((await harness.store.insights.overview(EVER)).tallies) == 1
        await harness.store.insights.tidy(now_us + HOUR_US)
        assert (await harness.store.insights.overview(EVER)).tallies == []

    def test_buckets_are_two_for_each_doubling(self) -> None:
        assert [bucket_of(us) for us in (0, 1, 1000, 1001, 2000, 4000, 4001)] == [0, 0, 0, 1, 2, 4, 5]
        for duration_us in (5, 1_500, 70_000, 3 * SECOND, 7_777 * SECOND):
            bucket = bucket_of(duration_us)
            assert duration_us <= bucket_end_us(bucket) + 1
            assert bucket == 0 or duration_us > bucket_end_us(bucket - 1)


class Overviews:
    async def test_nothing_is_an_overview_too(self, harness: Harness) -> None:
        overview = await harness.store.insights.overview(EVER)
        assert (overview.agents, overview.tallies, overview.hours, overview.failures) == ([], [], [], [])
        queue = overview.queue
        assert (queue.ready, queue.delayed, queue.running, queue.blocked) == (0, 0, 0, [])
        assert (queue.next_since_us, queue.workers, queue.slots) == (None, 0, 0)

    async def test_agents_come_with_their_live_version_and_how_it_got_there(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy()
        await harness.store.agents.move_pointer(AGENT, "prod", 1, "v2 was slow", "key:ops", None)
        broken = await harness.start_build()
        await harness.store.deployments.fail(broken.id, "no such package")
        (found,) = (await harness.store.insights.overview(EVER)).agents
        assert (found.agent.stable, found.agent.latest) == (1, 3)
        assert (found.latest_status, found.latest_error) == (DeploymentStatus.FAILED, "no such package")
        assert found.move is not None
        assert (found.move.frm, found.move.to, found.move.reason) == (2, 1, "v2 was slow")

    async def test_the_queue_says_what_waits_and_who_works(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.submit()
        await harness.store.runs.create(harness.new_run("nobody"))
        await harness.store.runs.claim(worker_id, 2)
        await harness.finish(claim, failed())
        waiting = await harness.submit()
        queue = (await harness.replica.insights.overview(EVER)).queue
        assert (queue.ready, queue.delayed, queue.running) == (1, 1, 1)
        assert queue.blocked == [("nobody", 1)]
        assert (queue.workers, queue.slots) == (1, 8)
        assert queue.next_since_us == (await harness.store.runs.get(waiting)).created_us
        harness.advance(2 * LEASE_US / SECOND)
        assert (await harness.store.insights.overview(EVER)).queue.workers == 0

    async def test_dead_letters_are_counted_by_agent(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy("billing")
        for agent in (AGENT, AGENT, "billing"):
            await ended(harness, agent=agent, fails="ValueError: no")
        overview = await harness.replica.insights.overview(EVER)
        assert [(each.agent, each.count) for each in overview.dead_letters] == [("billing", 1), (AGENT, 2)]
        assert overview.questions == []

    async def test_failures_are_the_newest_of_every_agent(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy("billing")
        await ended(harness, agent="billing", fails="KeyError: 'iban'\nmore")
        for number in range(7):
            await ended(harness, fails=f"ValueError: {number}")
        failures = (await harness.store.insights.overview(EVER)).failures
        assert [failure.message for failure in failures] == [
            *(f"ValueError: {number}" for number in (6, 5, 4, 3, 2)),
            "KeyError: 'iban'",
        ]
        assert failures[-1].agent == "billing"
        assert failures[-1].version == 1


class AgentDetails:
    async def test_one_agent_with_all_that_belongs_to_it(self, harness: Harness) -> None:
        wanted = schedule(next_us=77)
        await harness.deploy()
        await harness.deploy("billing")
        second = await harness.deploy(schedule=wanted)
        await ended(harness, fails="ValueError: no")
        await ended(harness, agent="billing")
        await harness.store.secrets.set("", "SHARED", b"x", "key:ops")
        await harness.store.secrets.set(AGENT, "OWN", b"x", "key:ops")
        await harness.store.secrets.set("billing", "FOREIGN", b"x", "key:ops")
        found = await harness.replica.insights.agent(AGENT, EVER, 10)
        assert (found.live.agent.name, found.live.agent.stable) == (AGENT, 2)
        assert found.config == second.release.config  # type: ignore[union-attr]
        assert [(t.agent, t.version, t.state, t.runs) for t in found.tallies] == [(AGENT, 2, "failed", 1)]
        assert all(type(number) is int for number in (found.live.agent.created_us, *counts(found)))
        assert [(s.cron, s.next_us) for s in found.schedules] == [(wanted.cron, 77)]
        assert sorted((s.name, s.shared) for s in found.secrets) == [("OWN", False), ("SHARED", True)]
        assert [(move.frm, move.to) for move in found.moves] == [(1, 2), (None, 1)]
        assert [(d.version, d.live, d.last_good) for d in found.deployments] == [
            (2, True, False),
            (1, False, True),
        ]
        (run,) = found.runs
        assert (run.state, run.message, run.version) == (RunState.FAILED, "ValueError: no", 2)

    async def test_an_agent_that_only_failed_to_build(self, harness: Harness) -> None:
        broken = await harness.start_build()
        await harness.store.deployments.fail(broken.id, "no")
        found = await harness.store.insights.agent(AGENT, EVER, 10)
        assert (found.live.agent.stable, found.live.latest_status) == (None, DeploymentStatus.FAILED)
        assert (found.config, found.live.move) == (None, None)

    async def test_an_unknown_agent_is_not_found_with_the_nearest(self, harness: Harness) -> None:
        await harness.deploy()
        with pytest.raises(NotFound) as caught:
            await harness.store.insights.agent("suport", EVER, 10)
        assert AGENT in caught.value.hint

    async def test_deployments_of_all_agents_in_pages(self, harness: Harness) -> None:
        made = [await harness.deploy(agent) for agent in (AGENT, "billing", AGENT)]
        building = await harness.start_build("billing")
        first = await harness.store.insights.deployments([], None, 2)
        assert [row.id for row in first] == [building.id, made[2].id]
        rest = await harness.store.insights.deployments([], first[-1].id, 9)
        assert [row.id for row in rest] == [made[1].id, made[0].id]
        some = await harness.store.insights.deployments([AGENT, "nobody"], made[2].id, 9)
        assert [row.id for row in some] == [made[0].id]
        own = await harness.store.insights.deployments(["billing"], None, 9)
        assert [(row.version, row.status, row.live) for row in own] == [
            (2, DeploymentStatus.BUILDING, False),
            (1, DeploymentStatus.SUCCEEDED, True),
        ]
        assert own[1].digest == release(made[1]).digest


class RunLists:
    async def test_filters_narrow_together(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy("billing")
        good = await ended(harness)
        bad = await ended(harness, fails="KeyError: 'iban' is 100% missing_")
        other = await ended(harness, agent="billing", fails="ValueError: no")
        await harness.deploy()
        newest = await ended(harness, fails="ValueError: again")
        waiting = await harness.submit()

        async def found(**wanted: object) -> list[RunId]:
            page = await harness.replica.insights.runs(RunQuery(**wanted), 10)  # type: ignore[arg-type]
            assert (page.more, page.scanned_to) == (False, None)
            return [run.id for run in page.runs]

        assert await found() == [waiting, newest, other, bad, good]
        assert await found(agent=AGENT) == [waiting, newest, bad, good]
        assert await found(states=[RunState.FAILED]) == [newest, other, bad]
        assert await found(states=[RunState.COMPLETED, RunState.PENDING]) == [waiting, good]
        assert await found(agent=AGENT, states=[RunState.FAILED], version=1) == [bad]
        assert await found(text="valueerror: ") == [newest, other]
        assert await found(text="100% missing_") == [bad]
        assert await found(text="100_ missing") == []
        assert await found(text="'iban'", agent="billing") == []
        assert await found(agents=["billing", "nobody"]) == [other]
        assert await found(text=bad) == [bad]
        assert await found(text=bad[:35], states=[RunState.COMPLETED]) == []

    async def test_pages_go_to_older_and_back_to_newer(self, harness: Harness) -> None:
        made = [await harness.submit() for _ in range(7)][::-1]

        async def page(**cursor: RunId) -> tuple[list[RunId], bool]:
            found = await harness.store.insights.runs(RunQuery(**cursor), 3)  # type: ignore[arg-type]
            return [run.id for run in found.runs], found.more

        assert await page() == (made[:3], True)
        assert await page(older_than=made[2]) == (made[3:6], True)
        assert await page(older_than=made[5]) == (made[6:], False)
        assert await page(newer_than=made[6]) == (made[3:6], True)
        assert await page(newer_than=made[3]) == (made[:3], False)
        assert await page(newer_than=made[0]) == ([], False)

    async def test_time_bounds_what_is_shown(self, harness: Harness) -> None:
        first, second = await harness.submit(), new_run_id()
        millisecond_us = int(first.replace("-", "")[:12], 16) * 1000

        async def found(**wanted: int) -> list[RunId]:
            page = await harness.store.insights.runs(RunQuery(**wanted), 10)  # type: ignore[arg-type]
            return [run.id for run in page.runs]

        assert second > first
        assert await found(since_us=millisecond_us) == [first]
        assert await found(since_us=millisecond_us + 1000) == []
        assert await found(until_us=millisecond_us) == []
        assert await found(until_us=millisecond_us + 1000) == [first]
