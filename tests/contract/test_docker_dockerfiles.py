"""Images of agents with a Dockerfile, built by a real Docker Engine."""

import asyncio
import dataclasses
import json
import shutil
import tempfile
import venv
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from tests.docker import Engine

from ao.domain.errors import SandboxError
from ao.sandbox import SandboxSpec
from ao.sandbox.docker import DockerExecutor, DockerOptions
from ao.sandbox.docker.dockerfiles import REPOSITORY
from ao.testing.sandbox_conformance.rig import Rig, finish

SOURCE = """
    import os
    def main(): return [open("/opt/words").read(), os.environ["WORDS"]]
    """
DOCKERFILE = """
FROM {base}
COPY words /opt/words
ENV WORDS=/opt/words
"""


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ao-dockerfiles-") as name:
        venv.create(Path(name, "env"), symlinks=True)
        yield Path(name)


@pytest.fixture
async def rig(root: Path, docker_engine: Engine, base_image: str) -> AsyncIterator[Rig]:
    options = DockerOptions(base_image, build="none")
    executor = await DockerExecutor.open(root / "sandboxes", docker_engine.variables, options)
    yield Rig(executor, root, root / "env")
    await executor.close()


def spec_of(rig: Rig, dockerfile: str, files: Mapping[str, str] | None = None) -> SandboxSpec:
    """An agent that has it in a directory of its own."""
    beside = {f"image/{name}": text for name, text in (files or {"words": "hello"}).items()}
    spec = rig.spec({"agent.py": SOURCE, "image/Dockerfile": dockerfile, **beside})
    return dataclasses.replace(spec, dockerfile="image/Dockerfile")


def images(engine: Engine) -> set[str]:
    return set(engine.docker("images", "--format", "{{.Tag}}", REPOSITORY).split())


async def test_a_run_starts_from_the_image_of_its_dockerfile(
    rig: Rig, docker_engine: Engine, base_image: str
) -> None:
    spec, told = spec_of(rig, DOCKERFILE.format(base=base_image)), list[str]()
    await rig.executor.provide(spec, told.append)
    assert any("COPY words" in line for line in told)
    assert told[-1].startswith("built the image of image/Dockerfile: ao-agent:")
    assert (await finish(await rig.executor.start(spec))).result == ["hello", "/opt/words"]
    again = list[str]()
    await rig.executor.provide(spec, again.append)
    assert again == []


async def test_releases_with_the_same_directory_share_an_image(
    rig: Rig, docker_engine: Engine, base_image: str
) -> None:
    text = DOCKERFILE.format(base=base_image) + "# shared\n"
    first, second = spec_of(rig, text), spec_of(rig, text)
    (second.code_dir / "agent.py").write_text("# another release\n")
    other = spec_of(rig, text, {"words": "others"})
    before, told = images(docker_engine), list[str]()
    await rig.executor.provide(first, told.append)
    assert told
    told.clear()
    await rig.executor.provide(second, told.append)
    assert told == []
    await rig.executor.provide(other, told.append)
    assert len(images(docker_engine) - before) == 2


async def test_who_comes_meanwhile_waits_for_the_same_build_and_hears_all_of_it(
    rig: Rig, base_image: str
) -> None:
    spec = spec_of(rig, f"FROM {base_image}\nRUN echo slow && sleep 1 && echo built-it-once\n")
    logs: list[list[str]] = [[], [], []]
    await asyncio.gather(*(rig.executor.provide(spec, log.append) for log in logs))
    for log in logs:
        assert log.count("built-it-once") == 1
        assert sum(line.startswith("Step 2/") for line in log) == 1


async def test_a_build_that_nobody_waits_for_any_more_ends(
    rig: Rig, docker_engine: Engine, base_image: str
) -> None:
    spec = spec_of(rig, f"FROM {base_image}\nRUN echo begun && sleep 600\n")
    begun = [asyncio.Event(), asyncio.Event()]

    async def want(number: int) -> None:
        await rig.executor.provide(spec, lambda line: begun[number].set() if line == "begun" else None)

    wanted = [asyncio.create_task(want(number)) for number in range(2)]
    async with asyncio.timeout(60):
        for each in begun:  # both have joined it
            await each.wait()
        wanted[0].cancel()
        await asyncio.wait({wanted[0]})
        assert docker_engine.docker("ps", "--quiet") != ""
        wanted[1].cancel()
        await asyncio.wait({wanted[1]})
        while docker_engine.docker("ps", "--quiet"):  # noqa: ASYNC110 - the engine's word counts
            await asyncio.sleep(0.05)


async def test_what_does_not_build_is_told_with_the_end_of_its_log(rig: Rig, base_image: str) -> None:
    spec = spec_of(rig, f"FROM {base_image}\nRUN echo no such package: libfoo && exit 7\n")
    with pytest.raises(SandboxError, match=r"image/Dockerfile does not build: .*code: 7") as raised:
        await rig.executor.provide(spec, lambda _: None)
    assert "no such package: libfoo" in raised.value.message
    assert "no such package: libfoo" in str(raised.value.details["output"])


async def test_what_is_no_dockerfile_is_refused_as_such(rig: Rig) -> None:
    with pytest.raises(SandboxError, match=r"image/Dockerfile does not build: .*line 1: unknown instruction"):
        await rig.executor.provide(spec_of(rig, "NONSENSE here\n"), lambda _: None)


async def test_an_image_with_another_python_is_refused(rig: Rig, base_image: str) -> None:
    text = f"FROM {base_image}\nRUN rm /usr/bin/python3 /usr/bin/python3.11\nCOPY other /usr/bin/python3\n"
    other = """#!/bin/sh\necho '["/usr/bin/python3", "3.9", "", true]'\n"""
    spec = spec_of(rig, text, {"other": other})
    with pytest.raises(
        SandboxError, match=r"image of image/Dockerfile has Python 3\.9 and not 3\.11"
    ) as raised:
        await rig.executor.provide(spec, lambda _: None)
    assert "FROM python:3.11-slim" in raised.value.hint


async def test_a_build_sees_neither_variables_nor_files_of_the_worker(
    rig: Rig, docker_engine: Engine, base_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "the secret")
    spec = spec_of(rig, f"FROM {base_image}\nCOPY . /opt/all\nRUN env > /opt/env; ls -R /opt/all > /opt/list\n")
    spec = dataclasses.replace(spec, env={"SECRET": "the secret"})
    await rig.executor.provide(spec, lambda _: None)
    (tag,) = [tag for tag in images(docker_engine) if tag in (await named(rig, spec))]
    image = f"{REPOSITORY}:{tag}"
    found = docker_engine.docker("run", "--rm", "--network", "none", image, "cat", "/opt/env", "/opt/list")
    history = docker_engine.docker("history", "--no-trunc", image) + docker_engine.docker("inspect", image)
    assert "the secret" not in found + history
    assert sorted(line for line in found.splitlines() if line in ("Dockerfile", "words", "agent.py")) == [
        "Dockerfile",
        "words",
    ]
    assert json.loads(docker_engine.docker("inspect", image))[0]["Config"]["Labels"] == {"ao.dockerfile": "1"}


async def test_what_is_ignored_is_neither_in_the_build_nor_a_reason_for_another(
    rig: Rig, docker_engine: Engine, base_image: str
) -> None:
    text = f"FROM {base_image}\nCOPY . /opt/all\n"
    ignore = "**/*.key\n*.txt\n!kept.txt\nDockerfile\n"
    files = {".dockerignore": ignore, "kept.txt": "", "left.txt": "", "deep/a.key": "one", "deep/a.pem": ""}
    spec, other = spec_of(rig, text, files), spec_of(rig, text, files | {"deep/a.key": "two"})
    await rig.executor.provide(spec, lambda _: None)
    (image,) = {await named(rig, each) for each in (spec, other)}
    found = docker_engine.docker(
        "run", "--rm", "--network", "none", image, "find", "/opt/all", "-type", "f", "-printf", "%P\n"
    )
    assert sorted(found.split()) == [".dockerignore", "deep/a.pem", "kept.txt"]


async def test_images_go_with_the_last_release_that_has_them(
    rig: Rig, docker_engine: Engine, base_image: str
) -> None:
    text = f"FROM {base_image}\nENV KEPT=for-a-while\n"
    first, second = spec_of(rig, text), spec_of(rig, text)
    for spec in (first, second):
        await rig.executor.provide(spec, lambda _: None)
    (name,) = {await named(rig, spec) for spec in (first, second)}
    for spec, is_kept in ((first, True), (second, False)):
        shutil.rmtree(spec.code_dir)
        await rig.executor.tidy()
        assert (name.partition(":")[2] in images(docker_engine)) is is_kept


async def test_a_worker_that_builds_nothing_says_so(root: Path, docker_engine: Engine, base_image: str) -> None:
    options = DockerOptions(base_image, build="off")
    executor = await DockerExecutor.open(root / "others", docker_engine.variables, options)
    spec = spec_of(Rig(executor, root, root / "env"), f"FROM {base_image}\nENV NEVER=built\n")
    with pytest.raises(SandboxError, match="this worker builds no images") as raised:
        await executor.provide(spec, lambda _: None)
    assert "AO_DOCKER_BUILD" in raised.value.hint
    await executor.close()


async def named(rig: Rig, spec: SandboxSpec) -> str:
    assert isinstance(rig.executor, DockerExecutor)
    return await rig.executor.images.dockerfiles.name_for(spec)
