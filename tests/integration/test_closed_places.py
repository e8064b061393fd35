"""Directories of its own that AO may not write: they are named, and cost no run."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.databases import missing
from tests.local import local_platform

from ao.build.releases import remove_tree
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import StorageClosed
from ao.domain.run import RunState
from ao.worker import room

AGENT = "def work(input):\n    return input\n"
TOML = 'entrypoint = "agent:work"\nretries = 0'


@contextmanager
def closed(directory: Path) -> Iterator[None]:
    """By its rights; for root, whom they do not keep out, by how it is mounted."""
    if os.geteuid() != 0:
        directory.chmod(0o500)
        try:
            yield
        finally:
            directory.chmod(0o700)
        return
    aside = directory.parent.parent / f"{directory.name}-aside"  # where nobody writes meanwhile
    aside.mkdir()
    steps: list[list[str | Path]] = [
        ["--bind", directory, aside],
        ["-o", "remount,ro,bind", aside],
        ["--bind", aside, directory],
    ]
    try:
        for step in steps:
            mounted = subprocess.run(["mount", *step], check=False, capture_output=True)
            if mounted.returncode:
                missing(f"mounting read-only needs rights: {mounted.stderr.decode().strip()}")
        yield
    finally:
        for place in (directory, aside):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
        aside.rmdir()


@pytest.mark.parametrize("name", ["envs", "wheels", "releases"])
async def test_a_build_names_the_directory_that_it_may_not_write(tmp_path: Path, name: str) -> None:
    async with local_platform(tmp_path, worker=False) as ao:
        place = tmp_path / "home" / name
        with closed(place):
            failed = await ao.try_deploy("closed", {"agent.py": AGENT}, toml=TOML)
        assert failed.status is DeploymentStatus.FAILED
        assert (failed.error or "").startswith(f"{place} cannot be written: ")
        with closed(tmp_path / "home/work"), pytest.raises(StorageClosed, match=r"home/work cannot be written"):
            await ao.try_deploy("closed", {"agent.py": AGENT}, toml=TOML)
        await ao.deploy("closed", {"agent.py": AGENT}, toml=TOML)


async def test_a_run_that_cannot_be_prepared_is_handed_back_at_no_cost_and_goes_on_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(room, "AGAIN_SECONDS", 0.2)
    async with local_platform(tmp_path) as ao:
        await ao.deploy("closed", {"agent.py": AGENT}, toml=TOML)
        await ao.platform.executor.cool()
        environments = tmp_path / "home/envs"
        for directory in [each for each in environments.iterdir() if each.is_dir()]:
            remove_tree(directory)
        with closed(environments):
            run_id = await ao.submit("closed", 5)
            reason = os.strerror(errno.EROFS if os.geteuid() == 0 else errno.EACCES)
            refused = f"{environments} cannot be written: {reason}"
            await ao.until_line(run_id, f"the worker hands the run back: {refused}")
            assert ao.worker.hold in ("", refused)
        run = await ao.result(run_id)
        assert (run.head.state, run.head.failures) == (RunState.COMPLETED, 0)
