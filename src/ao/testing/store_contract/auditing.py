"""The audit log: in the transaction of the change, or not at all."""

import pytest

from ao.domain.errors import AoError, NotFound
from ao.ids import new_api_key_id
from ao.store.audit import AuditFilter, NewAudit
from ao.store.records import NewApiKey
from ao.testing.store_contract.harness import AGENT, SECOND, Harness


def entry(action: str = "secret.set", **changes: str) -> NewAudit:
    fields = {"actor": "key:ops", "target": "secret:TOKEN", "agent": AGENT, "details": "{}"}
    more = {"source": "10.0.0.9", "request_id": "r-1", "key_id": "k-1"}
    return NewAudit(**{**fields, **more, "action": action, **changes})


async def actions(harness: Harness, where: AuditFilter = AuditFilter()) -> list[str]:  # noqa: B008 - immutable
    return [found.entry.action for found in await harness.replica.audit.list(where, 100)]


class Auditing:
    async def test_a_change_and_its_entry_are_written_together(self, harness: Harness) -> None:
        store = harness.store
        await store.secrets.set(AGENT, "TOKEN", b"x", "key:ops", entry("secret.set"))
        await store.secrets.delete(AGENT, "TOKEN", entry("secret.delete"))
        with pytest.raises(NotFound):
            await store.secrets.delete(AGENT, "TOKEN", entry("secret.delete.again"))
        assert await actions(harness) == ["secret.delete", "secret.set"]

    async def test_keys_deployments_pointers_and_cancels_are_noted(self, harness: Harness) -> None:
        store = harness.store
        key = await store.keys.create(NewApiKey(new_api_key_id(), "ci", "viewer", "h1"), entry("key.create"))
        await store.keys.revoke(key.id, entry("key.revoke"))
        await store.keys.revoke(key.id, entry("key.revoke.again"))
        await harness.deploy()
        await harness.deploy()
        await store.agents.move_pointer(AGENT, "prod", 1, "", "key:ops", None, entry("agent.rollback"))
        with pytest.raises(AoError):
            await store.agents.move_pointer(
                AGENT, "prod", 1, "", "key:ops", None, entry("agent.rollback.again")
            )
        run_id = await harness.submit()
        await store.runs.cancel(run_id, "key:ops", entry("run.cancel"))
        await store.runs.cancel(run_id, "key:ops", entry("run.cancel.again"))
        assert await actions(harness) == ["run.cancel", "agent.rollback", "key.revoke", "key.create"]

    async def test_an_entry_comes_back_as_it_was_written(self, harness: Harness) -> None:
        before_us = await harness.store.schedules.now_us()
        await harness.store.audit.append(entry())
        (found,) = await harness.store.audit.list(AuditFilter(), 10)
        assert found.entry == entry()
        assert found.at_us >= before_us

    async def test_filters_narrow_and_pages_go_on(self, harness: Harness) -> None:
        for number, action in enumerate(("key.create", "key.revoke", "secret.set")):
            agent = AGENT if number == 2 else ""
            await harness.store.audit.append(
                entry(action, actor=f"key:{number}", target=f"t:{number}", agent=agent)
            )
            harness.advance(60)
        newest, middle, oldest = await harness.store.audit.list(AuditFilter(), 10)
        assert await actions(harness, AuditFilter(action="key.")) == ["key.revoke", "key.create"]
        assert await actions(harness, AuditFilter(action="key.create")) == ["key.create"]
        assert await actions(harness, AuditFilter(actor="key:1")) == ["key.revoke"]
        assert await actions(harness, AuditFilter(target="t:0")) == ["key.create"]
        assert await actions(harness, AuditFilter(agent=AGENT)) == ["secret.set"]
        assert await actions(harness, AuditFilter(before=middle.id)) == ["key.create"]
        late = oldest.at_us + 30 * SECOND
        assert await actions(harness, AuditFilter(since_us=late)) == ["secret.set", "key.revoke"]
        assert await actions(harness, AuditFilter(until_us=late)) == ["key.create"]
        assert [found.id for found in await harness.store.audit.list(AuditFilter(), 1)] == [newest.id]
