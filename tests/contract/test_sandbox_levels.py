"""Every level of the process executor, as the user who runs the tests."""

import os
import sys
import tempfile
import venv
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from ao.sandbox import Level, SandboxSpec
from ao.sandbox.process import ProcessExecutor
from ao.sandbox.process.box import ProcessSandbox
from ao.sandbox.process.supervisor import tree
from ao.sandbox.process.warm import WarmOptions
from ao.testing.sandbox_conformance.conversing import *  # noqa: F403
from ao.testing.sandbox_conformance.ending import *  # noqa: F403
from ao.testing.sandbox_conformance.entrypoints import *  # noqa: F403
from ao.testing.sandbox_conformance.isolation import *  # noqa: F403
from ao.testing.sandbox_conformance.leaks import *  # noqa: F403
from ao.testing.sandbox_conformance.limits import *  # noqa: F403
from ao.testing.sandbox_conformance.network import *  # noqa: F403
from ao.testing.sandbox_conformance.rig import Rig

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux"),
]


@pytest.fixture(scope="module")
def env_dir(root: Path) -> Path:
    path = root / "env"
    venv.create(path, symlinks=True)
    return path


class Warmed(ProcessExecutor):
    """Starts every run warm that can be."""

    async def start(self, spec: SandboxSpec) -> ProcessSandbox:
        why_cold = await self.prepare(spec)
        sandbox = await super().start(spec)
        assert sandbox.info.warm or why_cold
        return sandbox


LEVELS = ["namespaces", "namespaces-warm", "landlock", "landlock-same-user", "degraded"]


@pytest.fixture(scope="module", params=LEVELS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def root(variant: str) -> Iterator[Path]:
    """A directory of the host. Where it is closed to others, root keeps its uid if there are no namespaces."""
    with tempfile.TemporaryDirectory(prefix="ao-sandbox-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o700 if variant == "landlock-same-user" else 0o755)
        path = Path(name, variant.partition("-")[0])
        path.mkdir(mode=0o755)
        yield path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executor(root: Path, variant: str) -> AsyncIterator[ProcessExecutor]:
    warm = variant == "namespaces-warm"
    kind, options = (Warmed, WarmOptions(slots=1)) if warm else (ProcessExecutor, WarmOptions(enabled=False))
    executor = await kind.open(root / "sandboxes", level=Level(root.name), warm=options)
    yield executor
    await executor.close()


@pytest_asyncio.fixture(loop_scope="module")
async def rig(executor: ProcessExecutor, root: Path, env_dir: Path, variant: str) -> AsyncIterator[Rig]:
    """Nothing may be left when a test ends: no process, no directory."""
    yield Rig(executor, root, env_dir, warm=variant == "namespaces-warm")
    await executor.cool()
    assert tree.members(executor.supervisor_pid) == [executor.supervisor_pid]
    assert sorted(path.name for path in (root / "sandboxes").iterdir()) == ["shared", "supervisor.lock"]
