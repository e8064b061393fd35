"""Builds on hosts that are not like the developer's: full disks, strict umasks, broken interpreters."""

import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.build.conftest import Open, Site

from ao.build.pythons import Pythons
from ao.domain.errors import BuildFailed
from ao.project.packing import pack
from ao.sandbox import Entrypoint, Executor, Message, Sandbox, SandboxSpec

FULL = """
import asyncio, pathlib, sys
from ao.blobs.local import LocalBlobs
from ao.build import BuildRequest
from ao.build.local import LocalBuilder
from ao.domain.errors import StorageFull

async def main(home, archive, digest):
    builder = LocalBuilder(home, LocalBlobs(home / "blobs"), environ={"PATH": "/usr/bin:/bin"})
    try:
        upload = await builder.receive(archive, digest)
        await builder.build(BuildRequest(upload), print)
    except StorageFull as error:
        print("full:", error.hint)

asyncio.run(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]))
"""


@pytest.mark.parametrize("kib", [200, 700])
def test_a_full_disk_is_said_to_be_full(project: Path, tmp_path: Path, kib: int) -> None:
    """200 KiB are too few for the upload, 700 for its second copy."""
    (project / "data" / "big.bin").write_bytes(os.urandom(400_000))
    packed = pack(project, tmp_path / "a.tar")
    (tmp_path / "small").mkdir()
    mount: list[str | Path] = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    prepare = f'mount -t tmpfs -o size={kib}k tmpfs "$1" && shift && exec "$@"'
    if subprocess.run([*mount, prepare, "sh", tmp_path / "small", "true"], check=False).returncode != 0:
        pytest.skip("no user namespaces here")

    home = tmp_path / "small" / "home"
    argv: list[str | Path] = [sys.executable, "-c", FULL, home, tmp_path / "a.tar", packed.digest]
    ended = subprocess.run(
        [*mount, prepare, "sh", tmp_path / "small", *argv], capture_output=True, text=True, check=True
    )

    assert ended.stdout.splitlines()[-1] == "full: make room, or run `ao gc`"


async def test_under_a_strict_umask_sandboxes_of_another_user_can_read_everything(
    site: Site, project: Path
) -> None:
    site.wheels.add("left", "1.0")
    (project / "requirements.txt").write_text("left\n")
    (project / "sub").mkdir()
    (project / "sub" / "x.txt").write_text("x")
    umask = os.umask(0o077)
    try:
        release = await site.deploy(project)
    finally:
        os.umask(umask)

    code = await site.builder.code_dir(release.digest)
    env = await site.builder.env_dir(release.digest, release.env_key)

    for path in [code, env, *code.rglob("*"), *env.rglob("*")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode in ((0o555,) if path.is_dir() else (0o444, 0o555)), path


async def test_an_agent_runs_from_a_home_that_was_made_under_a_strict_umask(
    open_site: Open, project: Path, tmp_path: Path, executor: Executor
) -> None:
    """As root it is another user, who must be able to read its release and its packages."""
    umask = os.umask(0o077)
    try:
        site = open_site(tmp_path / "home")
        site.wheels.add("left", "1.0")
        (project / "requirements.txt").write_text("left\n")
        (project / "agent.py").write_text(
            "import left, os\ndef main(input): return [left.VERSION, os.getuid()]\n"
        )
        release = await site.deploy(project)
        env = await site.builder.env_dir(release.digest, release.env_key)
        code = await site.builder.code_dir(release.digest)
        entrypoint = Entrypoint("function", "agent:main")
        sandbox = await executor.start(SandboxSpec("one", code, env, env / "bin/python", entrypoint, "null"))
        messages = [message async for message in _messages(sandbox)]
        await sandbox.wait()
    finally:
        os.umask(umask)

    (result,) = [message for message in messages if message["type"] == "result"]
    assert "1.0" in str(result)


async def _messages(sandbox: Sandbox) -> AsyncIterator[Message]:
    while (message := await sandbox.receive()) is not None:
        yield message


def interpreter(directory: Path, name: str, script: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text("#!/bin/sh\n" + script)
    (directory / name).chmod(0o755)


def test_interpreters_that_do_not_answer_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter(tmp_path / "bin", "python3.77", "exit 127\n")
    interpreter(tmp_path / "bin", "python3.78", "echo not json\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(BuildFailed, match=r"Python 3\.77 is not on this host; found: .*\d"):
        Pythons().find("3.77")


def test_the_newest_patch_of_a_version_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for patch in (2, 10, 9):
        answer = (
            f'{{"implementation":"cpython","version":"3.77.{patch}","platform":"p","abi":"a",'
            f'"base":"{tmp_path}/{patch}/python3.77","prefix":"/nowhere"}}'
        )
        interpreter(tmp_path / str(patch), "python3.77", f"echo '{answer}'\n")
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / str(patch)) for patch in (2, 10, 9)))

    pythons = Pythons()

    assert pythons.find("3.77").version == "3.77.10"
    assert pythons.find("3.77.9").executable == tmp_path / "9" / "python3.77"


def test_the_default_is_the_python_that_ao_runs_on_and_no_virtual_environment() -> None:
    python = Pythons().find(None)

    assert python.version == ".".join(map(str, sys.version_info[:3]))
    assert not (python.executable.parent.parent / "pyvenv.cfg").exists()
