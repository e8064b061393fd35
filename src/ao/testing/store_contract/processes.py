"""Processes: known while they work, refused when their release may not go on."""

import pytest

from ao.domain.errors import SchemaTooNew
from ao.ids import new_process_id
from ao.store.processes import ALIVE_SECONDS
from ao.store.sql import migrate
from ao.testing.store_contract.harness import Harness


class Processes:
    async def test_who_joined_is_listed_until_it_leaves(self, harness: Harness) -> None:
        first, second = new_process_id(), new_process_id()
        await harness.store.processes.join(first, "server", "box-1")
        harness.advance(1)
        await harness.replica.processes.join(second, "worker", "box-2")
        found = await harness.store.processes.list()
        assert [(each.id, each.role, each.host) for each in found] == [
            (first, "server", "box-1"),
            (second, "worker", "box-2"),
        ]
        assert {each.schema_known for each in found} == {migrate.HEAD}
        await harness.store.processes.leave(first)
        assert [each.id for each in await harness.store.processes.list()] == [second]

    async def test_who_is_silent_does_not_count_and_is_back_with_its_next_beat(self, harness: Harness) -> None:
        process_id = new_process_id()
        await harness.store.processes.join(process_id, "server", "box")
        harness.advance(ALIVE_SECONDS - 1)
        await harness.store.processes.beat(process_id, "server", "box")
        harness.advance(ALIVE_SECONDS - 1)
        assert len(await harness.store.processes.list()) == 1
        harness.advance(2)
        assert await harness.store.processes.list() == []
        harness.advance(2 * 86_400)
        await harness.store.processes.leave(new_process_id())  # whoever leaves sweeps
        await harness.store.processes.beat(process_id, "server", "box")
        assert [each.id for each in await harness.store.processes.list()] == [process_id]

    async def test_a_release_that_may_not_work_any_more_is_told_so(
        self, harness: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process_id = new_process_id()
        await harness.store.processes.join(process_id, "server", "box")
        monkeypatch.setattr(migrate, "HEAD", "0001")  # of before
        with pytest.raises(SchemaTooNew) as caught:
            await harness.store.processes.beat(process_id, "server", "box")
        assert migrate.MIN_READER in caught.value.message
        with pytest.raises(SchemaTooNew):
            await harness.store.processes.join(new_process_id(), "server", "box")
        assert len(await harness.store.processes.list()) == 1

    async def test_who_is_at_work_is_told_when_homes_are_to_be_tidied(self, harness: Harness) -> None:
        process_id = new_process_id()
        await harness.store.processes.join(process_id, "worker", "box")
        assert await harness.store.processes.beat(process_id, "worker", "box") == 0
        await harness.replica.processes.ask_to_tidy()
        first = await harness.store.processes.beat(process_id, "worker", "box")
        harness.advance(1)
        await harness.replica.processes.ask_to_tidy()
        assert await harness.store.processes.beat(process_id, "worker", "box") > first > 0
