"""What `ao doctor` looks at when AO_SANDBOX asks for containers."""

import asyncio
import os
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

from ao.domain.errors import AoError
from ao.sandbox import Entrypoint, Level, SandboxSpec
from ao.sandbox.docker import DockerExecutor, DockerOptions, EngineFacts
from ao.settings import Settings, host_environment
from ao.wire.schemas import CheckView


def checks(found: Settings) -> Iterator[CheckView]:
    """The engine, the image for agents with AO's own Python, and what a container that does nothing takes."""
    with tempfile.TemporaryDirectory(prefix="ao-doctor-") as directory:
        yield from asyncio.run(_look(found, Path(directory)))


async def _look(found: Settings, root: Path) -> list[CheckView]:
    options = DockerOptions(found.docker_image, found.docker_network, found.docker_build)
    try:
        executor = await DockerExecutor.open(root / "sandboxes", host_environment(), options)
    except AoError as error:
        return [_view("failed", error.message, error.hint)]
    try:
        return [*_engine(executor.facts), await _image(executor, root)]
    finally:
        await executor.close()


def _engine(facts: EngineFacts) -> Iterator[CheckView]:
    said = (
        f"storage {facts.storage_driver}, cgroups v{facts.cgroups}, {', '.join(facts.security) or 'no profile'}"
    )
    yield _view("ok", f"{Level.DOCKER}: Docker Engine {facts.version} at {facts.socket}, {said}")
    for gap in facts.degraded:
        yield _view("warning", f"{Level.DOCKER}: NOT ENFORCED: {gap}", "docs/docker.md says what this needs")


async def _image(executor: DockerExecutor, root: Path) -> CheckView:
    python = "{}.{}".format(*sys.version_info[:2])
    name = executor.images.name_for(python)
    try:
        await executor.images.find(name, python)
        seconds = await _start(executor, root)
    except AoError as error:
        return _view("failed", error.message, error.hint)
    return _view(
        "ok", f"agents on Python {python} start from {name}; a container took {seconds * 1000:.0f} ms to start"
    )


async def _start(executor: DockerExecutor, root: Path) -> float:
    """Seconds until the runner of a sandbox that does nothing said its first word."""
    env, code = root / "env", root / "code"
    await asyncio.to_thread(venv.create, env, symlinks=True)
    code.mkdir()
    code.chmod(0o755)
    nothing = Entrypoint("command", command=("true",))
    spec = SandboxSpec(f"probe-{os.getpid()}", code, env, env / "bin" / "python", nothing, "null")
    began = time.monotonic()
    sandbox = await executor.start(spec)
    seconds = time.monotonic() - began
    while await sandbox.receive() is not None:
        pass
    await sandbox.wait()
    sandbox.close()
    return seconds


def _view(status: str, message: str, hint: str = "") -> CheckView:
    return CheckView.model_validate({"name": "sandbox", "status": status, "message": message, "hint": hint})
