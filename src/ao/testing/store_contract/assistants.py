"""Assistants: immutable versions, a name that means one of them, and what their runs execute."""

from dataclasses import replace

import pytest

from ao.domain.errors import Conflict, NotFound
from ao.ids import new_deployment_id
from ao.store.assistants import AssistantFilter, NewAssistantVersion
from ao.store.audit import AuditFilter
from ao.store.records import NewDeployment, RunFilter
from ao.testing.store_contract.auditing import entry
from ao.testing.store_contract.harness import AGENT, COMPLETED, Harness, digest, failed, release

BRIEF = "brief"


def version(config: str = "{}", overrides: str = "", message: str = "") -> NewAssistantVersion:
    return NewAssistantVersion(config, overrides, "prod", None, "key:ops", message)


async def history(harness: Harness, name: str = BRIEF) -> list[tuple[str, int | None, int]]:
    moves = await harness.replica.assistants.moves(name, None, 100)
    return [(move.action.value, move.frm, move.to) for move in moves]


class Assistants:
    async def test_every_agent_has_one_of_its_own_name_that_never_changes(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy()
        own = await harness.replica.assistants.get(AGENT)
        assert (own.agent, own.newest, own.latest, own.is_agents_own) == (AGENT, 0, None, True)
        store = harness.store.assistants
        with pytest.raises(Conflict, match="as it is released"):
            await store.update(AGENT, 0, version())
        with pytest.raises(Conflict):
            await store.set_latest(AGENT, 1, "", "key:ops")
        with pytest.raises(Conflict):
            await store.archive(AGENT, "", "key:ops")
        with pytest.raises(Conflict, match="every agent has an assistant"):
            await store.create(AGENT, AGENT, version())

    async def test_agents_and_assistants_share_their_names(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy("other")
        store = harness.store.assistants
        await store.create(BRIEF, AGENT, version())
        with pytest.raises(Conflict, match="is an agent"):
            await store.create("other", AGENT, version())
        with pytest.raises(Conflict, match="of support already"):
            await store.create(BRIEF, "other", version())
        with pytest.raises(NotFound):
            await store.create("more", "nobody", version())
        with pytest.raises(Conflict, match="assistant of support"):
            await harness.store.deployments.create(
                NewDeployment(new_deployment_id(), BRIEF, "key:dev", digest("source"))
            )
        assert [agent.name for agent in await harness.store.agents.list()] == ["other", AGENT]

    async def test_an_update_makes_the_next_version_and_a_former_one_can_come_back(
        self, harness: Harness
    ) -> None:
        await harness.deploy()
        store = harness.store.assistants
        await store.create(BRIEF, AGENT, version('{"a":1}', "first", "new"))
        updated = await store.update(BRIEF, 1, version('{"a":2}', "second", "better"))
        assert updated.latest is not None
        assert (updated.newest, updated.latest.version, updated.latest.config) == (2, 2, '{"a":2}')
        with pytest.raises(Conflict, match="is v2, not v1"):
            await store.update(BRIEF, 1, version())
        back = await store.set_latest(BRIEF, 1, "worse after all", "key:ops")
        assert back == await harness.replica.assistants.get(BRIEF)
        assert back.latest is not None
        assert (back.newest, back.latest.overrides, back.latest.message) == (2, "first", "new")
        await store.set_latest(BRIEF, 1, "", "key:ops")
        await store.update(BRIEF, 1, version('{"a":3}'))
        assert await history(harness) == [
            ("updated", 1, 3), ("set_latest", 2, 1), ("updated", 1, 2), ("created", None, 1)
        ]  # fmt: skip
        newest, middle, _ = await store.versions(BRIEF, None, 10)
        assert (newest.version, middle.config) == (3, '{"a":2}')
        assert [each.version for each in await store.versions(BRIEF, 3, 1)] == [2]
        assert await store.version(BRIEF, 2) == middle
        with pytest.raises(NotFound, match="no version 4"):
            await store.set_latest(BRIEF, 4, "", "key:ops")

    async def test_an_archived_one_keeps_its_name_and_lives_again_with_its_next_version(
        self, harness: Harness
    ) -> None:
        await harness.deploy()
        await harness.deploy("other")
        store = harness.store.assistants
        await store.create(BRIEF, AGENT, version())
        archived = await store.archive(BRIEF, "not used", "key:ops")
        assert archived.archived_us is not None
        assert await store.archive(BRIEF, "again", "key:ops") == archived
        with pytest.raises(Conflict, match="archived"):
            await store.update(BRIEF, 1, version())
        with pytest.raises(Conflict, match="archived assistant of support"):
            await store.create(BRIEF, "other", version())
        again = await store.create(BRIEF, AGENT, version())
        assert (again.newest, again.archived_us) == (2, None)
        assert [what for what, _, _ in await history(harness)] == ["created", "archived", "created"]

    async def test_lists_are_by_name_and_narrow(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.deploy("other")
        store = harness.store.assistants
        for name in ("a", "c", "b"):
            await store.create(name, AGENT, version())
        await store.archive("c", "", "key:ops")

        async def names(where: AssistantFilter, limit: int = 100) -> list[str]:
            return [found.name for found in await harness.replica.assistants.list(where, limit)]

        assert await names(AssistantFilter()) == ["a", "b", "other", AGENT]
        assert await names(AssistantFilter([AGENT], archived=True)) == ["a", "b", "c", AGENT]
        assert await names(AssistantFilter(after="a"), 2) == ["b", "other"]

    async def test_changes_and_their_audit_entries_are_written_together(self, harness: Harness) -> None:
        await harness.deploy()
        store = harness.store.assistants
        await store.create(BRIEF, AGENT, version(), entry("assistant.create"))
        await store.update(BRIEF, 1, version(), entry("assistant.update"))
        with pytest.raises(Conflict):
            await store.update(BRIEF, 1, version(), entry("assistant.update.late"))
        await store.set_latest(BRIEF, 1, "", "key:ops", entry("assistant.set_latest"))
        await store.set_latest(BRIEF, 1, "", "key:ops", entry("assistant.set_latest.again"))
        await store.archive(BRIEF, "", "key:ops", entry("assistant.delete"))
        await store.archive(BRIEF, "", "key:ops", entry("assistant.delete.again"))
        found = await harness.store.audit.list(AuditFilter(action="assistant."), 100)
        assert [each.entry.action.removeprefix("assistant.") for each in found] == [
            "delete", "set_latest", "update", "create"
        ]  # fmt: skip

    async def test_a_run_stays_on_its_version_and_says_what_it_executes(self, harness: Harness) -> None:
        deployment = await harness.deploy()
        store = harness.store
        await store.assistants.create(BRIEF, AGENT, version(overrides='{"timeout":1}'))
        new = replace(harness.new_run(), assistant=BRIEF, assistant_version=1)
        run_id = (await store.runs.create(new)).run_id
        await store.assistants.update(BRIEF, 1, version(overrides='{"timeout":2}'))
        worker_id = await harness.register()
        claim = await harness.claim_one(worker_id)
        assert (claim.assistant, claim.assistant_version, claim.overrides) == (BRIEF, 1, '{"timeout":1}')
        assert claim.digest == release(deployment).digest
        run = await store.runs.get(run_id)
        assert (run.assistant, run.assistant_version, run.digest) == (BRIEF, 1, None)
        for derived in ("derived", "another"):
            await store.assistants.keep_release(BRIEF, 1, deployment.id, digest(derived))
        run = await harness.replica.runs.get(run_id)
        assert (run.digest, run.artifact) == (digest("derived"), release(deployment).digest)
        await harness.finish(claim, failed())
        await harness.let_retries_be_due(worker_id)
        again = await harness.claim_one(worker_id)
        assert (again.attempt, again.assistant_version, again.overrides) == (2, 1, '{"timeout":1}')
        assert digest("derived") in (await store.deployments.in_use())[1]

    async def test_a_run_of_an_agent_has_its_own_assistant(self, harness: Harness) -> None:
        _, claim = await harness.running()
        assert (claim.assistant, claim.overrides) == (None, "")
        run = await harness.store.runs.get(claim.run_id)
        assert (run.assistant, run.assistant_version) == (AGENT, None)
        assert run.digest == run.artifact == claim.digest

    async def test_runs_are_listed_by_assistant(self, harness: Harness) -> None:
        worker_id, claim = await harness.running()
        await harness.finish(claim, COMPLETED)
        await harness.store.assistants.create(BRIEF, AGENT, version())
        new = replace(harness.new_run(), assistant=BRIEF, assistant_version=1)
        brief = [(await harness.store.runs.create(replace(new, id=harness.new_run().id))).run_id for _ in "ab"]
        await harness.claim_one(worker_id)

        async def ids(where: RunFilter, limit: int = 10) -> list[str]:
            return [run.id for run in await harness.replica.runs.list(where, limit)]

        assert await ids(RunFilter(assistant=BRIEF)) == brief[::-1]
        assert await ids(RunFilter(assistant=AGENT)) == [claim.run_id]
        assert await ids(RunFilter(agent=AGENT)) == [*brief[::-1], claim.run_id]
        assert await ids(RunFilter(assistant=BRIEF), 1) == brief[1:]
        assert await ids(RunFilter(assistant=BRIEF, before=brief[1])) == brief[:1]
        assert await ids(RunFilter(assistant=BRIEF, agents=["other"])) == []
        assert await ids(RunFilter(assistant="nobody")) == []
