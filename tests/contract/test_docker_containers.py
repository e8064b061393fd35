"""What containers are, and what becomes of them when their worker is killed, stopped or gone."""

import asyncio
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
import venv
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docker import Engine

from ao.domain.errors import SandboxError, Unavailable
from ao.sandbox import StopCause
from ao.sandbox.docker import DockerExecutor, DockerOptions
from ao.sandbox.docker.executor import LABEL
from ao.testing.sandbox_conformance.ending import FOREVER
from ao.testing.sandbox_conformance.rig import Rig, finish, line

PATIENCE_SECONDS = 90.0
WORKER = """
    import asyncio, sys
    from pathlib import Path
    from ao.sandbox import Entrypoint, SandboxSpec
    from ao.sandbox.docker import DockerExecutor, DockerOptions

    async def main(root, socket, image, lease):
        executor = await DockerExecutor.open(root / "sandboxes", {"DOCKER_HOST": socket}, DockerOptions(image))
        env = root / "env"
        spec = SandboxSpec(id="one", code_dir=root / "code", env_dir=env, python=env / "bin/python",
                           entrypoint=Entrypoint("function", "agent:main"), input_json="null")
        sandbox = await executor.start(spec)
        while not await sandbox.read_stdout(): pass
        await executor.renew(float(lease))
        print("up", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
    """
RELOCATED = """
    FROM {base}
    RUN mkdir -p /opt/python/bin /opt/python/lib && mv /usr/bin/python3.11 /opt/python/bin/ \\
        && mv /usr/lib/python3.11 /opt/python/lib/ && rm /usr/bin/python3 \\
        && rm -r /opt/python/lib/python3.11/__pycache__ /opt/python/lib/python3.11/json/__pycache__
    ENV PATH=/opt/python/bin:/usr/bin:/bin MODELS=/models HOME=/elsewhere
    """


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    # Images close /root to others.
    with tempfile.TemporaryDirectory(prefix="ao-containers-", dir=Path.home()) as name:
        path = Path(name)
        venv.create(path / "env", symlinks=True)
        (path / "code").mkdir()
        (path / "code" / "agent.py").write_text(textwrap.dedent(FOREVER))
        yield path


@pytest.fixture
async def rig(root: Path, docker_engine: Engine, base_image: str) -> AsyncIterator[Rig]:
    options = DockerOptions(base_image)
    executor = await DockerExecutor.open(root / "sandboxes", docker_engine.variables, options)
    yield Rig(executor, root, root / "env")
    await executor.close()
    assert containers(docker_engine) == []


def containers(engine: Engine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}").split()


def inspected(engine: Engine, name: str) -> Any:
    (described,) = json.loads(engine.docker("inspect", name))
    return described


class Worker:
    """In a process of its own, with one container."""

    def __init__(self, root: Path, engine: Engine, image: str, lease_seconds: float = 3600) -> None:
        arguments = [str(root), engine.url, image, str(lease_seconds)]
        self._engine = engine
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), *arguments], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"up\n"
        (self.container,) = containers(engine)
        self._first = os.pidfd_open(inspected(engine, self.container)["State"]["Pid"])

    def wait_until_its_container_is_gone(self) -> None:
        assert select.select([self._first], [], [], PATIENCE_SECONDS)[0], "a container outlived its worker"
        while containers(self._engine):
            assert self.process.poll() is None or self.process.returncode < 0

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        os.close(self._first)


def test_a_killed_worker_takes_its_containers_with_it(
    root: Path, docker_engine: Engine, base_image: str
) -> None:
    """Nobody has to come back for that."""
    worker = Worker(root, docker_engine, base_image)
    worker.process.kill()
    worker.wait_until_its_container_is_gone()
    worker.close()


def test_a_stopped_worker_loses_its_containers_with_its_lease(
    root: Path, docker_engine: Engine, base_image: str
) -> None:
    worker = Worker(root, docker_engine, base_image, lease_seconds=3.0)
    worker.process.send_signal(signal.SIGSTOP)
    worker.wait_until_its_container_is_gone()
    worker.close()


async def test_what_a_crash_left_is_removed_before_anything_is_started(
    root: Path, docker_engine: Engine, base_image: str
) -> None:
    worker = Worker(root, docker_engine, base_image)
    # A container that does not notice the end of its worker.
    docker_engine.docker("pause", worker.container)
    worker.process.kill()
    worker.process.wait()
    assert containers(docker_engine) == [worker.container]
    executor = await DockerExecutor.open(root / "sandboxes", docker_engine.variables, DockerOptions(base_image))
    assert containers(docker_engine) == []
    await executor.close()
    worker.close()


async def test_a_container_of_the_same_attempt_is_replaced(
    rig: Rig, docker_engine: Engine, base_image: str
) -> None:
    spec = rig.spec("def main(): return 1")
    docker_engine.docker("run", "--detach", "--name", f"ao-{spec.id}", base_image, "sleep", "600")
    assert (await finish(await rig.executor.start(spec))).result == 1


async def test_a_place_has_one_worker(rig: Rig, docker_engine: Engine) -> None:
    with pytest.raises(SandboxError, match="another worker has its sandboxes"):
        await DockerExecutor.open(rig.root / "sandboxes", docker_engine.variables)


async def test_a_container_is_hardened_and_holds_no_secret(rig: Rig, docker_engine: Engine) -> None:
    spec = dataclasses.replace(
        rig.spec(FOREVER, {"text": "the input"}, env={"TOKEN": "the secret"}), run_env={"AO_RUN_ID": "the run"}
    )
    sandbox = await rig.executor.start(spec)
    await line(sandbox)
    text = docker_engine.docker("inspect", f"ao-{spec.id}")
    (described,) = json.loads(text)
    host = described["HostConfig"]
    assert described["Config"]["User"] == "10001:10001"
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
    assert "no-new-privileges" in host["SecurityOpt"]
    assert (host["NetworkMode"], host["Privileged"], host["IpcMode"]) == ("none", False, "private")
    assert host["PidsLimit"] == spec.limits.processes + 1
    assert host["Memory"] == host["MemorySwap"] > spec.limits.memory_bytes
    assert all(each["RW"] is False for each in described["Mounts"])
    assert not any(word in text for word in ("the secret", "the input", "the run"))
    await sandbox.stop(StopCause.CANCELLED)
    await finish(sandbox)


async def test_a_container_that_is_ended_from_outside_is_lost(rig: Rig, docker_engine: Engine) -> None:
    spec = rig.spec(FOREVER)
    sandbox = await rig.executor.start(spec)
    await line(sandbox)
    docker_engine.docker("kill", f"ao-{spec.id}")
    ran = await finish(sandbox)
    assert ran.exit.cause is StopCause.LOST
    assert "ended from outside" in ran.exit.detail


async def test_all_containers_are_given_up_and_others_started(rig: Rig) -> None:
    executor = rig.executor
    sandbox = await executor.start(rig.spec(FOREVER))
    await line(sandbox)
    executor.kill()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await executor.lost.wait()
    assert (await finish(sandbox)).exit.cause is StopCause.LOST
    with pytest.raises(SandboxError, match="given up"):
        await executor.start(rig.spec(FOREVER))
    await executor.restart()
    assert not executor.lost.is_set()
    assert (await rig.run("def main(): return 1")).result == 1


async def test_closing_ends_what_is_left(root: Path, docker_engine: Engine, base_image: str) -> None:
    executor = await DockerExecutor.open(root / "sandboxes", docker_engine.variables, DockerOptions(base_image))
    sandbox = await executor.start(Rig(executor, root, root / "env").spec(FOREVER))
    await line(sandbox)
    await executor.close()
    assert (await finish(sandbox)).exit.cause is StopCause.SHUTDOWN
    assert containers(docker_engine) == []


@pytest.fixture(scope="module")
def relocated(docker_engine: Engine, base_image: str) -> str:
    """An image that has its Python where no host has it."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "Dockerfile").write_text(textwrap.dedent(RELOCATED).format(base=base_image))
        docker_engine.docker("build", "--quiet", "--tag", "ao-test/relocated", directory)
    return "ao-test/relocated"


async def test_an_agents_own_image_gives_programs_and_variables(rig: Rig, relocated: str) -> None:
    source = """
        import json, os, subprocess, sys
        def main():
            told = subprocess.run(["tool"], capture_output=True, text=True).stdout
            python = os.path.realpath(sys.executable)
            return [sys.prefix, python, os.environ["MODELS"], os.environ["HOME"], told, json.__file__]
        """
    tool = rig.env_dir / "bin" / "tool"
    tool.write_text(f"#!{rig.env_dir}/bin/python\nimport sys; print(sys.executable, end='')\n")
    tool.chmod(0o755)
    spec = dataclasses.replace(rig.spec(source), image=relocated)
    prefix, python, models, home, told, module = (await finish(await rig.executor.start(spec))).result
    assert (prefix, told) == (str(rig.env_dir), str(rig.env_dir / "bin" / "python"))
    assert (python, module) == ("/opt/python/bin/python3.11", "/opt/python/lib/python3.11/json/__init__.py")
    assert (models, home) == ("/models", "/home/agent")


async def test_an_image_without_the_agents_python_is_refused(rig: Rig, base_image: str) -> None:
    executor = rig.executor
    assert isinstance(executor, DockerExecutor)
    with pytest.raises(SandboxError, match=r"has Python 3\.11 and not 3\.14"):
        await executor.images.find(base_image, "3.14")


async def test_an_image_without_bytecode_gets_it_once(rig: Rig, base_image: str, relocated: str) -> None:
    executor, kept = rig.executor, rig.root / "sandboxes" / "bytecode"
    assert isinstance(executor, DockerExecutor)
    assert (await executor.images.find(base_image, "3.11")).bytecode == []
    image = await executor.images.find(relocated, "3.11")
    assert [path.name for path in kept.iterdir()] == [image.id.removeprefix("sha256:")]
    source = """
        import importlib.util, json, os
        def main(): return [json.__cached__, os.path.exists(json.__cached__)]
        """
    ran = await finish(await executor.start(dataclasses.replace(rig.spec(source), image=relocated)))
    assert ran.result == ["/opt/python/lib/python3.11/json/__pycache__/__init__.cpython-311.pyc", True]


async def test_bytecode_of_an_image_that_is_gone_is_removed(
    root: Path, docker_engine: Engine, base_image: str
) -> None:
    kept = root / "sandboxes" / "bytecode"
    for name in ("0" * 64, ".half-done"):
        (kept / name / "0").mkdir(parents=True)
    executor = await DockerExecutor.open(root / "sandboxes", docker_engine.variables, DockerOptions(base_image))
    await executor.close()
    assert not (kept / ("0" * 64)).exists()
    assert not (kept / ".half-done").exists()


async def test_an_engine_that_does_not_answer_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no Docker Engine answers"):
        await DockerExecutor.open(tmp_path / "sandboxes", {"DOCKER_HOST": f"unix://{tmp_path}/none"})


async def test_an_engine_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="need an engine on this host"):
        await DockerExecutor.open(tmp_path / "sandboxes", {"DOCKER_HOST": "tcp://10.0.0.1:2375"})
