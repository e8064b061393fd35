"""Versions, what is live, and what must be kept."""

import asyncio

import pytest

from ao.domain.deployment import DeploymentStatus, Pointer
from ao.domain.errors import Conflict, NotFound
from ao.ids import DeploymentId
from ao.store.records import Payload
from ao.testing.store_contract.harness import (
    AGENT,
    COMPLETED,
    LEASE_US,
    Harness,
    digest,
    failed,
    release,
    schedule,
)


class Deploying:
    async def test_versions_count_up_per_agent(self, harness: Harness) -> None:
        made = [await harness.start_build() for _ in range(3)]
        other = await harness.start_build("billing")
        assert [deployment.version for deployment in made] == [1, 2, 3]
        assert other.version == 1
        assert {deployment.status for deployment in made} == {DeploymentStatus.BUILDING}
        assert await harness.store.deployments.building() == [*made, other]

    async def test_a_build_is_abandoned_when_nobody_has_renewed_it(self, harness: Harness) -> None:
        mine, lost = await harness.start_build(), await harness.start_build("billing")
        deployments = harness.store.deployments
        await deployments.renew([mine.id, lost.id], LEASE_US)
        assert await deployments.abandoned() == []
        harness.offset.us += LEASE_US // 2
        await deployments.renew([mine.id], LEASE_US)
        harness.offset.us += LEASE_US // 2
        assert await deployments.abandoned() == [lost]
        await deployments.fail(lost.id, "its server is gone")
        assert await deployments.abandoned() == []

    async def test_concurrent_deploys_get_different_versions(self, harness: Harness) -> None:
        made = await asyncio.gather(*(harness.start_build() for _ in range(20)))
        assert sorted(deployment.version for deployment in made) == list(range(1, 21))

    async def test_a_build_that_succeeds_is_live(self, harness: Harness) -> None:
        deployment = await harness.deploy()
        assert deployment.status is DeploymentStatus.SUCCEEDED
        assert deployment.finished_us is not None
        assert deployment.release == release(deployment)
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.STABLE) == deployment
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.LAST_GOOD) is None
        (move,) = await harness.store.agents.history(AGENT, 10)
        assert (move.frm, move.to, move.pointer, move.environment) == (None, 1, Pointer.STABLE, "prod")
        assert (move.actor, move.reason) == ("key:dev", "deployed")

    async def test_the_version_before_is_last_good(self, harness: Harness) -> None:
        first, second = await harness.deploy(), await harness.deploy()
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.STABLE) == second
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.LAST_GOOD) == first
        agent = await harness.store.agents.get(AGENT)
        assert (agent.stable, agent.last_good, agent.latest) == (2, 1, 2)

    async def test_a_slow_build_does_not_replace_a_newer_version(self, harness: Harness) -> None:
        slow = await harness.start_build()
        newer = await harness.deploy()
        done = await harness.store.deployments.succeed(slow.id, release(slow), schedule())
        assert done.status is DeploymentStatus.SUCCEEDED
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.STABLE) == newer
        assert await harness.store.schedules.list(AGENT) == []

    async def test_a_failed_build_leaves_what_is_live(self, harness: Harness) -> None:
        live = await harness.deploy(schedule=schedule())
        building = await harness.start_build()
        ended = await harness.store.deployments.fail(building.id, "no wheel for x\0")
        assert (ended.status, ended.release) == (DeploymentStatus.FAILED, None)
        assert ended.error is not None
        assert ended.error.startswith("no wheel for x")
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.STABLE) == live
        assert len(await harness.store.schedules.list(AGENT)) == 1
        assert await harness.store.deployments.building() == []

    async def test_a_build_ends_once(self, harness: Harness) -> None:
        deployment = await harness.deploy()
        with pytest.raises(Conflict):
            await harness.store.deployments.fail(deployment.id, "late")
        with pytest.raises(Conflict):
            await harness.store.deployments.succeed(deployment.id, release(deployment), None)
        assert await harness.store.deployments.get(AGENT, 1) == deployment

    async def test_unknown_deployments_are_not_found(self, harness: Harness) -> None:
        unknown = DeploymentId("nothing")
        deployment = await harness.start_build()
        for asked in (
            harness.store.deployments.get_by_id(unknown),
            harness.store.deployments.get(AGENT, 2),
            harness.store.deployments.fail(unknown, "x"),
            harness.store.deployments.succeed(unknown, release(deployment), None),
            harness.store.deployments.append_log(unknown, [(1, "x")]),
        ):
            with pytest.raises(NotFound):
                await asked

    async def test_pages_of_versions_are_complete(self, harness: Harness) -> None:
        for _ in range(7):
            await harness.start_build()
        await harness.start_build("billing")
        seen: list[int] = []
        before = None
        while page := await harness.store.deployments.list(AGENT, before, 3):
            seen += [deployment.version for deployment in page]
            before = seen[-1]
        assert seen == [7, 6, 5, 4, 3, 2, 1]

    async def test_the_build_log_has_no_gaps_under_concurrency(self, harness: Harness) -> None:
        deployment = await harness.start_build()
        stores = (harness.store, harness.replica)
        await asyncio.gather(
            *(
                stores[number % 2].deployments.append_log(
                    deployment.id, [(number, f"{number} a"), (number, f"{number} b\0")]
                )
                for number in range(15)
            )
        )
        lines = await harness.store.deployments.log(deployment.id, 0, 100)
        assert [seq for seq, _, _ in lines] == list(range(1, 31))
        assert [text.split()[0] for _, _, text in lines[0::2]] == [
            text.split()[0] for _, _, text in lines[1::2]
        ]
        assert [seq for seq, _, _ in await harness.store.deployments.log(deployment.id, 4, 2)] == [5, 6]


class Pointers:
    async def test_what_was_gone_back_to_is_last_good_and_what_was_left_is_not(self, harness: Harness) -> None:
        first = await harness.deploy()
        await harness.deploy()
        move = await harness.store.agents.move_pointer(AGENT, "prod", 1, "bad answers", "key:ops", None)
        assert (move.frm, move.to, move.reason, move.actor) == (2, 1, "bad answers", "key:ops")
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.STABLE) == first
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.LAST_GOOD) == first

    async def test_history_is_newest_first_and_append_only(self, harness: Harness) -> None:
        for _ in range(2):
            await harness.deploy()
        move = await harness.store.agents.move_pointer(AGENT, "prod", 1, "back", "key:ops", None)
        history = await harness.store.agents.history(AGENT, 10)
        assert [(entry.frm, entry.to) for entry in history] == [(2, 1), (1, 2), (None, 1)]
        assert history[0] == move
        assert len(await harness.store.agents.history(AGENT, 2)) == 2

    async def test_pending_runs_follow_a_rollback(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy()
        await harness.submit()
        await harness.store.agents.move_pointer(AGENT, "prod", 1, "back", "key:ops", None)
        assert (await harness.claim_one(await harness.register())).version == 1

    async def test_only_a_version_that_succeeded_and_is_not_live_can_be_live(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.start_build()
        broken = await harness.start_build()
        await harness.store.deployments.fail(broken.id, "x")
        for version in (1, 2, 3):
            with pytest.raises(Conflict):
                await harness.store.agents.move_pointer(AGENT, "prod", version, "r", "key:ops", None)
        with pytest.raises(NotFound):
            await harness.store.agents.move_pointer(AGENT, "prod", 4, "r", "key:ops", None)
        assert len(await harness.store.agents.history(AGENT, 10)) == 1

    async def test_environments_are_apart(self, harness: Harness) -> None:
        first, second = await harness.deploy(), await harness.deploy()
        await harness.store.agents.move_pointer(AGENT, "staging", 1, "try", "key:ops", None)
        assert await harness.store.agents.pointer(AGENT, "staging", Pointer.STABLE) == first
        assert await harness.store.agents.pointer(AGENT, "prod", Pointer.STABLE) == second
        await harness.store.runs.create(harness.new_run(environment="staging"))
        assert (await harness.claim_one(await harness.register())).version == 1

    async def test_an_unknown_agent_is_not_found_with_the_nearest_name(self, harness: Harness) -> None:
        await harness.deploy()
        with pytest.raises(NotFound) as caught:
            await harness.store.agents.get("suport")
        assert "support" in caught.value.hint
        with pytest.raises(NotFound):
            await harness.store.agents.move_pointer("suport", "prod", 1, "r", "key:ops", None)
        assert await harness.store.agents.pointer("suport", "prod", Pointer.STABLE) is None

    async def test_agents_are_listed_by_name(self, harness: Harness) -> None:
        await harness.deploy("zebra")
        await harness.start_build("ant")
        agents = await harness.store.agents.list()
        assert [(agent.name, agent.stable, agent.latest) for agent in agents] == [
            ("ant", None, 1),
            ("zebra", 1, 1),
        ]

    async def test_all_that_is_referred_to_is_in_use(self, harness: Harness) -> None:
        building = await harness.start_build("billing")
        await harness.deploy()
        worker_id = await harness.register()
        for outcome in (COMPLETED, failed()):
            await harness.store.runs.create(harness.new_run(payload=Payload(blob=digest("in"))))
            await harness.finish(await harness.claim_one(worker_id), outcome)
        pending = harness.new_run(payload=Payload(blob=digest("waiting")))
        await harness.store.runs.create(pending)
        env_keys, digests = await harness.store.deployments.in_use()
        assert list(env_keys) == ["env"]
        named = ("in", "waiting", "lock", "source", "support-1", "support-1-code")
        assert set(digests) == {digest(name) for name in named} | {building.source_digest}

    async def test_what_is_live_or_goes_on_is_at_work(self, harness: Harness) -> None:
        _, claim = await harness.running()
        versions = [(await harness.deploy()).version for _ in range(3)]
        assert await named_at_work(harness) == {claim.version, *versions[-2:]}
        await harness.finish(claim, COMPLETED)
        assert await named_at_work(harness) == set(versions[-2:])


async def named_at_work(harness: Harness) -> set[int]:
    """Versions of the agent."""
    env_keys, digests = await harness.replica.deployments.at_work()
    assert list(env_keys) == ["env"]
    return {int(number) for number in range(1, 9) if digest(f"support-{number}") in digests}
