"""The executor of containers, on a real Docker Engine."""

import os
import tempfile
import venv
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.docker import Engine

from ao.sandbox.docker import DockerExecutor, DockerOptions
from ao.sandbox.docker.executor import LABEL
from ao.testing.sandbox_conformance.conversing import *  # noqa: F403
from ao.testing.sandbox_conformance.ending import *  # noqa: F403
from ao.testing.sandbox_conformance.entrypoints import *  # noqa: F403
from ao.testing.sandbox_conformance.isolation import *  # noqa: F403
from ao.testing.sandbox_conformance.leaks import *  # noqa: F403
from ao.testing.sandbox_conformance.limits import *  # noqa: F403
from ao.testing.sandbox_conformance.network import *  # noqa: F403
from ao.testing.sandbox_conformance.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", params=["docker"])
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ao-sandbox-") as name:
        os.chmod(name, 0o700)  # what is above a mount need not be open
        yield Path(name)


@pytest.fixture(scope="module")
def env_dir(root: Path) -> Path:
    path = root / "env"
    venv.create(path, symlinks=True)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executor(root: Path, docker_engine: Engine, base_image: str) -> AsyncIterator[DockerExecutor]:
    options = DockerOptions(base_image, network="host")
    executor = await DockerExecutor.open(root / "sandboxes", docker_engine.variables, options)
    yield executor
    await executor.close()


@pytest_asyncio.fixture(loop_scope="module")
async def rig(
    executor: DockerExecutor, root: Path, env_dir: Path, docker_engine: Engine, variant: str
) -> AsyncIterator[Rig]:
    """Nothing may be left when a test ends: no container, no door."""
    yield Rig(executor, root, env_dir)
    await executor.until_gone()
    assert docker_engine.docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}") == ""
    assert list((root / "sandboxes/doors").iterdir()) == []
