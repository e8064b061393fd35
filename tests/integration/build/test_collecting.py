"""What nothing refers to is removed; what something needs, or may need at this moment, stays."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.integration.build.conftest import Open, Site

from ao.build import BuildRequest
from ao.domain.artifact import ARTIFACT_TYPE, Manifest
from ao.store.records import BuiltRelease


@dataclass
class Prepared:
    """What the first test that needs two releases leaves for the others."""

    home: Path | None = None
    released: list[BuiltRelease] = field(default_factory=list)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return Prepared()


@pytest.fixture
async def two_releases(prepared: Prepared, site: Site, project: Path, tmp_path: Path) -> None:
    """Two releases with different code, prompts and environments, made once and copied for each test."""
    if prepared.home is not None:
        shutil.rmtree(site.home)
        shutil.copytree(prepared.home, site.home, symlinks=True, copy_function=os.link)
        site.released[:] = prepared.released
        return
    for version in ("1.0", "2.0"):
        site.wheels.add("left", version)
        (project / "requirements.txt").write_text(f"left=={version}\n")
        (project / "agent.py").write_text(f"def main(input): return {version}\n")
        await site.deploy(project)
    prepared.home, prepared.released = tmp_path / "kept-home", list(site.released)
    shutil.copytree(site.home, prepared.home, symlinks=True, copy_function=os.link)


@pytest.mark.usefixtures("two_releases")
async def test_only_what_is_not_kept_goes(site: Site) -> None:
    kept, dropped = site.released

    collected = await site.builder.collect([kept.env_key], [kept.digest], dry_run=False)

    assert (collected.environments, collected.releases) == (1, 1)
    assert collected.freed_bytes > 0
    assert await site.python(kept, "import left; print(left.VERSION)") == "2.0"
    assert (await site.builder.code_dir(kept.digest) / "prompts/system.md").exists()
    assert not await site.blobs.exists(dropped.digest)
    assert sorted(path.stem for path in (site.home / "wheels").iterdir()) == [kept.env_key]


@pytest.mark.usefixtures("two_releases")
async def test_what_is_kept_can_still_be_made_again_from_blobs(site: Site) -> None:
    kept = site.released[0]
    await site.builder.collect([kept.env_key], [kept.digest], dry_run=False)
    for name in ("envs", "releases"):
        os.rename(site.home / name, site.home / f"lost-{name}")
        (site.home / name).mkdir()

    assert await site.python(kept, "import left; print(left.VERSION)") == "2.0"
    assert (await site.builder.code_dir(kept.digest) / "agent.py").exists()


@pytest.mark.usefixtures("two_releases")
async def test_a_dry_run_says_the_same_figures_and_removes_nothing(site: Site) -> None:
    kept = site.released[0]
    before = await site.blobs.all()

    planned = await site.builder.collect([kept.env_key], [kept.digest], dry_run=True)

    assert await site.blobs.all() == before
    assert planned == await site.builder.collect([kept.env_key], [kept.digest], dry_run=False)


@pytest.mark.usefixtures("two_releases")
async def test_collecting_twice_finds_nothing_the_second_time(site: Site) -> None:
    kept = site.released[0]
    await site.builder.collect([kept.env_key], [kept.digest], dry_run=False)

    again = await site.builder.collect([kept.env_key], [kept.digest], dry_run=False)

    assert (again.environments, again.releases, again.blobs, again.freed_bytes) == (0, 0, 0, 0)


async def test_what_a_build_in_progress_made_stays(site: Site, project: Path) -> None:
    upload = await site.receive(project)
    release = await site.builder.build(BuildRequest(upload), site.log.append)

    collected = await site.builder.collect([], [], dry_run=False)  # not yet written to the store

    assert (collected.environments, collected.releases, collected.blobs) == (0, 0, 0)
    await site.builder.discard(upload)
    assert (await site.builder.collect([], [], dry_run=False)).releases == 1
    assert release.digest not in await site.blobs.all()


async def test_what_was_used_within_the_grace_period_stays(
    open_site: Open, project: Path, tmp_path: Path
) -> None:
    site = open_site(tmp_path / "home", grace_seconds=600)
    await site.deploy(project)

    assert (await site.builder.collect([], [], dry_run=False)).blobs == 0


async def test_payloads_are_blobs_like_others(site: Site) -> None:
    begin = f'{{"artifactType":"{ARTIFACT_TYPE}"'.encode()
    contents = (begin + b"x" * 70_000, b"[1, 2, 3]", begin, begin + b',"layers":' + b"[" * 20_000)
    kept = [await site.blobs.put(content) for content in contents]
    dropped = await site.blobs.put(b"old payload")

    await site.builder.collect([], kept, dry_run=False)

    assert set(await site.blobs.all()) == set(kept)
    assert dropped not in kept


@pytest.mark.usefixtures("two_releases")
async def test_a_part_that_two_releases_share_stays_with_the_other(site: Site) -> None:
    kept = site.released[0]
    await site.builder.collect([], [kept.digest], dry_run=False)

    manifest = Manifest.from_bytes(await site.blobs.get(kept.digest))

    assert set(manifest.blobs()) < set(await site.blobs.all())
