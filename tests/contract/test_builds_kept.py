"""Builds of other servers: they are not taken for abandoned ones, and what they need is not collected."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.local import ACTOR, local_platform
from tests.served import until

from ao.control import deployments
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import Unavailable
from ao.ids import DeploymentId, new_deployment_id
from ao.store.records import NewDeployment
from ao.store.sql.deployments import UNLEASED_US
from ao.store.sql.store import SqlStore
from ao.testing.store_contract import Harness
from ao.testing.store_contract.harness import digest

MADE_BEFORE_SECONDS = 900.0
"""More than what is kept without a reason."""


async def test_a_server_of_an_older_release_has_an_hour_for_its_build(harness: Harness) -> None:
    build = await harness.start_build()
    assert isinstance(harness.store, SqlStore)
    await harness.store.engine.write(lambda tx: tx.run("UPDATE deployment SET build_lease_us = NULL", {}))
    assert await harness.store.deployments.abandoned() == []
    harness.offset.us += UNLEASED_US
    assert await harness.store.deployments.abandoned() == [build]


async def test_what_another_server_builds_with_is_not_collected(tmp_path: Path) -> None:
    async with local_platform(tmp_path) as ao:
        store, blobs = ao.platform.store, ao.platform.ground.blobs
        made = [await blobs.put(content) for content in (b"a wheel of the build", b"older than the build")]
        for digest_, seconds in zip(made, (MADE_BEFORE_SECONDS, 2 * MADE_BEFORE_SECONDS), strict=True):
            (file,) = ao.platform.ground.home.root.rglob(digest_.removeprefix("sha256:"))
            os.utime(file, (time.time() - seconds,) * 2)
        new = NewDeployment(new_deployment_id(), "support", ACTOR, digest("source"), "", UNLEASED_US)
        await store.deployments.create(new)
        assert isinstance(store, SqlStore)
        begin = {"us": int(MADE_BEFORE_SECONDS * 1e6)}
        await store.engine.write(
            lambda tx: tx.run("UPDATE deployment SET created_us = created_us - :us", begin)
        )
        await ao.platform.deployments.gc(dry_run=False, actor=ACTOR)
        assert [await blobs.exists(each) for each in made] == [True, False]


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

        monkeypatch.setattr(store, "renew", cut_off)  # for the one that watches builds here

        async def is_cut_off() -> bool:
            return len(looks) > 1

        await until(is_cut_off)
        new = NewDeployment(new_deployment_id(), "support", ACTOR, digest("source"), "", 1)
        await store.create(new)
        await seen.wait()
        assert (await store.get_by_id(new.id)).status is DeploymentStatus.BUILDING
