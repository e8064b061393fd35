"""Builds of servers that know no leases, or could not renew theirs, are not taken for abandoned ones."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.local import ACTOR, local_platform

from ao.control import deployments
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import Unavailable
from ao.ids import DeploymentId, new_deployment_id
from ao.store.records import NewDeployment
from ao.store.sql.deployments import UNLEASED_US
from ao.store.sql.store import SqlStore
from ao.testing.store_contract import Harness
from ao.testing.store_contract.harness import digest


async def test_a_server_of_an_older_release_has_an_hour_for_its_build(harness: Harness) -> None:
    build = await harness.start_build()
    assert isinstance(harness.store, SqlStore)
    await harness.store.engine.write(lambda tx: tx.run("UPDATE deployment SET build_lease_us = NULL", {}))
    assert await harness.store.deployments.abandoned() == []
    harness.offset.us += UNLEASED_US
    assert await harness.store.deployments.abandoned() == [build]


async def test_after_a_time_without_the_store_other_servers_renew_their_leases_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployments, "RENEW_SECONDS", 0.01)
    async with local_platform(tmp_path) as ao:
        store = ao.platform.store.deployments
        renew, looks, seen = store.renew, [], asyncio.Event()

        async def cut_off(ids: Sequence[DeploymentId], lease_us: int) -> None:
            looks.append(ids)
            if len(looks) <= 5:
                raise Unavailable("the store is away")
            await renew(ids, lease_us)
            if len(looks) >= 15:
                seen.set()

        monkeypatch.setattr(store, "renew", cut_off)
        new = NewDeployment(new_deployment_id(), "support", ACTOR, digest("source"), "", 1)
        await store.create(new)
        watching = asyncio.create_task(ao.platform.deployments.watch_forever())
        await seen.wait()
        watching.cancel()
        assert (await store.get_by_id(new.id)).status is DeploymentStatus.BUILDING
