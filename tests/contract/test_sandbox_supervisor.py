"""What happens to sandboxes when a worker or its supervisor is killed, stopped or told to end."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from ao.domain.errors import SandboxError
from ao.sandbox import OF_THIS_HOST, Entrypoint, Level, SandboxSpec, StopCause
from ao.sandbox.process import ProcessExecutor
from ao.testing.sandbox_conformance.rig import Rig, finish, line

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")
PATIENCE_SECONDS = 90.0
LEVELS = [Level.NAMESPACES, Level.LANDLOCK]
TREE = """
    import os, time
    def main():
        for _ in range(2):
            if os.fork() == 0:
                os.setsid()
                time.sleep(600)
        print("up")
        time.sleep(600)
    """
WORKER = """
    import asyncio, json, sys
    from pathlib import Path
    from ao.sandbox import Entrypoint, Level, SandboxSpec
    from ao.sandbox.process import ProcessExecutor
    from ao.sandbox.process.supervisor import tree

    async def main(root, level, lease):
        executor = await ProcessExecutor.open(root / "sandboxes", level=Level(level))
        env = root / "env"
        spec = SandboxSpec(id="one", code_dir=root / "code", env_dir=env, python=env / "bin/python",
                           entrypoint=Entrypoint("function", "agent:main"), input_json="null")
        sandbox = await executor.start(spec)
        while not await sandbox.read_stdout(): pass
        await executor.renew(float(lease))
        print(json.dumps([executor.supervisor_pid, *tree.members(executor.supervisor_pid)[1:]]), flush=True)
        await asyncio.Event().wait()

    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
    """


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ao-supervisor-") as name:
        path = Path(name)
        path.chmod(0o755)
        venv.create(path / "env", symlinks=True)
        (path / "code").mkdir()
        (path / "code" / "agent.py").write_text(textwrap.dedent(TREE))
        yield path


def spec(root: Path, id: str = "one") -> SandboxSpec:
    python = root / "env" / "bin" / "python"
    entrypoint = Entrypoint("function", "agent:main")
    return SandboxSpec(id, root / "code", root / "env", python, entrypoint, "null")


def living(pid: int) -> int | None:
    """A descriptor of the process. None when it has ended: preparing a warm start forks processes that live
    for some milliseconds."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


class Worker:
    """A worker in a process of its own, with one sandbox that has several processes."""

    def __init__(self, root: Path, level: Level, lease_seconds: float = 3600) -> None:
        command = [sys.executable, "-c", textwrap.dedent(WORKER), str(root), level, str(lease_seconds)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert told, f"the worker ended with {self.process.wait()}"
        pids: list[int] = json.loads(told)
        self.supervisor = pids[0]
        self.fds = [fd for pid in pids if (fd := living(pid)) is not None]

    def wait_until_all_are_gone(self, *, supervisor_too: bool = True) -> None:
        for fd in self.fds if supervisor_too else self.fds[1:]:
            assert select.select([fd], [], [], PATIENCE_SECONDS)[0], "a process outlived its worker"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.wait_until_all_are_gone()
        for fd in self.fds:
            os.close(fd)


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> Level:
    return Level(request.param)


def test_a_killed_worker_takes_everything_with_it(root: Path, level: Level) -> None:
    worker = Worker(root, level)
    worker.process.kill()
    worker.wait_until_all_are_gone()
    worker.close()


def test_a_stopped_worker_loses_its_sandboxes_when_its_lease_is_over(root: Path, level: Level) -> None:
    worker = Worker(root, level, lease_seconds=0.3)
    worker.process.send_signal(signal.SIGSTOP)
    worker.wait_until_all_are_gone(supervisor_too=False)
    worker.close()


def test_a_killed_supervisor_takes_every_sandbox_with_it(root: Path, level: Level) -> None:
    worker = Worker(root, level)
    os.kill(worker.supervisor, signal.SIGKILL)
    worker.wait_until_all_are_gone()
    worker.close()


def test_the_signals_of_a_terminal_do_not_end_the_supervisor(root: Path, level: Level) -> None:
    worker = Worker(root, level)
    assert os.getsid(worker.supervisor) != os.getsid(worker.process.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(worker.supervisor, number)
    assert not select.select(worker.fds[:1], [], [], 0.2)[0]
    worker.close()


async def test_a_lost_supervisor_is_told_and_replaced(root: Path, level: Level) -> None:
    executor = await ProcessExecutor.open(root / "sandboxes", level=level)
    sandbox = await executor.start(spec(root))
    await line(sandbox)
    os.kill(executor.supervisor_pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await executor.lost.wait()
    assert (await finish(sandbox)).exit.cause is StopCause.LOST
    with pytest.raises(SandboxError, match="supervisor of the sandboxes is gone"):
        await executor.start(spec(root))
    await executor.restart()
    assert not executor.lost.is_set()
    rig = Rig(executor, root, root / "env")
    assert (await rig.run("def main(): return 1")).result == 1
    await executor.close()


async def test_closing_ends_what_is_left(root: Path, level: Level) -> None:
    executor = await ProcessExecutor.open(root / "sandboxes", level=level)
    sandbox = await executor.start(spec(root))
    await line(sandbox)
    await executor.close()
    assert (await finish(sandbox)).exit.cause is StopCause.SHUTDOWN
    assert sorted(path.name for path in (root / "sandboxes").iterdir()) == ["shared", "supervisor.lock"]


async def test_what_a_crash_left_is_removed_at_the_next_start(root: Path) -> None:
    left = root / "sandboxes" / "some-run" / "work"
    left.mkdir(parents=True)
    (left / "file").write_text("x")
    executor = await ProcessExecutor.open(root / "sandboxes")
    assert not left.parent.exists()
    await executor.close()


async def test_one_id_cannot_run_twice_at_once(root: Path) -> None:
    executor = await ProcessExecutor.open(root / "sandboxes")
    sandbox = await executor.start(spec(root))
    with pytest.raises(SandboxError, match="already running"):
        await executor.start(spec(root))
    await sandbox.stop(StopCause.CANCELLED)
    await finish(sandbox)
    await executor.close()


async def test_a_missing_release_is_a_sandbox_error_in_words(root: Path, level: Level) -> None:
    executor = await ProcessExecutor.open(root / "sandboxes", level=level)
    absent = SandboxSpec(
        "one", root / "absent", root / "env", root / "env/bin/python", Entrypoint("script"), "1"
    )
    with pytest.raises(SandboxError, match="absent"):
        await executor.start(absent)
    await executor.close()


async def test_an_environment_may_not_point_at_any_directory(root: Path) -> None:
    hostile = root / "hostile"
    (hostile / "bin").mkdir(parents=True)
    (hostile / "pyvenv.cfg").write_text(f"home = {root}/code/bin\n")
    executor = await ProcessExecutor.open(root / "sandboxes", level=Level.NAMESPACES)
    with pytest.raises(SandboxError, match="is no Python installation"):
        await executor.start(
            SandboxSpec("one", root, hostile, hostile / "bin/python", Entrypoint("script"), "1")
        )
    await executor.close()


async def test_every_level_is_reported(root: Path) -> None:
    reports = await ProcessExecutor.probe_report(root / "probing")
    assert [report.level for report in reports] == list(OF_THIS_HOST)
    for report in reports:
        assert report.works or report.reason
    assert reports[-1].degraded
