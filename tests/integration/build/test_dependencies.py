"""Locks, wheels and environments: resolved once, kept, shared, and never fetched again."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.build.conftest import Open, Site

from ao.build import BuildRequest
from ao.build.local import LocalBuilder
from ao.domain.errors import BuildFailed, InternalError
from ao.store.records import BuiltRelease


def need(project: Path, text: str, name: str = "requirements.txt") -> None:
    (project / name).write_text(text)


def output(program: Path) -> bytes:
    return subprocess.run([program], check=True, capture_output=True).stdout


UV_LOCK = """
version = 1
requires-python = ">=3.9"

[[package]]
name = "left"
version = "1.0"
source = {{ registry = "https://index.invalid/simple" }}
wheels = [
    {{ url = "https://index.invalid/left-1.0-py3-none-any.whl", hash = "sha256:{hash}", size = 1 }},
]

[[package]]
name = "x"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "left" }}]

[package.metadata]
requires-dist = [{{ name = "left" }}]
"""


def lock_of(wheel: Path) -> str:
    name, version, *_ = wheel.name.split("-")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


async def lock_text(site: Site, release: BuiltRelease) -> str:
    assert release.lock_digest is not None
    return (await site.blobs.get(release.lock_digest)).decode()


async def test_requirements_are_resolved_with_what_they_need_and_pinned(site: Site, project: Path) -> None:
    left, right = site.wheels.add("left", "1.5", ["right<2"]), site.wheels.add("right", "1.1")
    site.wheels.add("right", "2.0")
    need(project, "left>=1  # a comment\n")

    release = await site.deploy(project)

    assert await lock_text(site, release) == lock_of(left) + lock_of(right)
    assert await site.python(release, "import left, right; print(left.VERSION, right.VERSION)") == "1.5 1.1"


async def test_the_lock_stays_while_requirements_do_and_upgrade_resolves_anew(
    site: Site, project: Path
) -> None:
    site.wheels.add("left", "1.0")
    need(project, "left\n")
    first = await site.deploy(project)
    site.wheels.add("left", "2.0")

    same = await site.deploy(project)
    upgraded = await site.deploy(project, upgrade=True)

    assert (same.digest, same.env_key) == (first.digest, first.env_key)
    assert await site.python(upgraded, "import left; print(left.VERSION)") == "2.0"
    assert await site.python(first, "import left; print(left.VERSION)") == "1.0"


async def test_changed_requirements_are_resolved_anew(site: Site, project: Path) -> None:
    site.wheels.add("left", "1.0")
    need(project, "left\n")
    first = await site.deploy(project)
    site.wheels.add("left", "2.0")
    need(project, "left>=2\n")

    assert (await site.deploy(project)).env_key != first.env_key


async def test_with_a_lock_the_digest_is_equal_on_every_host(
    open_site: Open, project: Path, tmp_path: Path
) -> None:
    one, other = open_site(tmp_path / "one"), open_site(tmp_path / "two")
    need(project, lock_of(one.wheels.add("left", "1.0")))
    first = await one.deploy(project)
    one.wheels.add("left", "2.0")

    second = await other.deploy(project)

    assert first.digest == second.digest
    assert await lock_text(one, first) == (project / "requirements.txt").read_text()


async def test_an_environment_that_was_lost_is_made_again_without_an_index(site: Site, project: Path) -> None:
    wheel = site.wheels.add("left", "1.0")
    need(project, "left\n")
    release = await site.deploy(project)
    wheel.unlink()
    shutil.move(site.home / "envs", site.home / "lost")
    (site.home / "envs").mkdir()

    assert await site.python(release, "import left; print(left.VERSION)") == "1.0"


async def test_a_lock_of_an_earlier_build_needs_no_index(site: Site, project: Path) -> None:
    wheel = site.wheels.add("left", "1.0")
    need(project, lock_of(wheel))
    first = await site.deploy(project)
    wheel.unlink()
    site.released.clear()  # another agent with the same lock

    assert (await site.deploy(project)).env_key == first.env_key


async def test_an_environment_is_made_once_however_many_ask(
    open_site: Open, project: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    site = open_site(home)
    need(project, lock_of(site.wheels.add("left", "1.0")))
    uploads = [await site.receive(project) for _ in range(6)]
    made: list[str] = []

    releases = await asyncio.gather(*(site.builder.build(BuildRequest(u), made.append) for u in uploads))

    assert len({release.env_key for release in releases}) == 1
    assert len(list((home / "envs").glob("*/.ready"))) == 1


async def test_two_processes_make_one_environment(site: Site, project: Path, tmp_path: Path) -> None:
    need(project, lock_of(site.wheels.add("left", "1.0")))
    release = await site.deploy(project)
    shutil.move(site.home / "envs", site.home / "lost")
    script = """
import asyncio, pathlib, sys
from ao.blobs.local import LocalBlobs
from ao.build.local import LocalBuilder
home = pathlib.Path(sys.argv[1])
builder = LocalBuilder(home, LocalBlobs(home / "blobs"), environ={"PATH": "/usr/bin:/bin"})
print(asyncio.run(builder.env_dir(sys.argv[2], sys.argv[3])).stat().st_ino)
"""
    argv: list[str | Path] = [sys.executable, "-c", script, site.home, release.digest, release.env_key]

    both = [await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE) for _ in range(3)]
    said = {(await process.communicate())[0] for process in both}

    assert len(said) == 1
    assert said != {b""}


async def test_agents_without_dependencies_share_one_environment(site: Site, project: Path) -> None:
    first = await site.deploy(project)
    (project / "ao.toml").write_text('name = "other"\ncommand = ["true"]\n')

    assert (await site.deploy(project)).env_key == first.env_key


async def test_two_versions_of_a_package_live_side_by_side(site: Site, project: Path) -> None:
    site.wheels.add("left", "1.0")
    site.wheels.add("left", "2.0")
    releases = []
    for version in ("1.0", "2.0"):
        need(project, f"left=={version}\n")
        releases.append(await site.deploy(project))

    versions = await asyncio.gather(*(site.python(r, "import left; print(left.VERSION)") for r in releases))

    assert versions == ["1.0", "2.0"]


async def test_scripts_of_packages_work_where_the_environment_is(site: Site, project: Path) -> None:
    site.wheels.add("left", "1.0")
    need(project, "left\n")
    release = await site.deploy(project)

    script = await site.builder.env_dir(release.digest, release.env_key) / "bin" / "left-tool"

    assert output(script) == b"1.0\n"


async def test_another_machine_makes_the_environment_from_the_kept_wheels(
    site: Site, project: Path, tmp_path: Path
) -> None:
    site.wheels.add("left", "1.0")
    need(project, "left\n")
    release = await site.deploy(project)

    async def recipe() -> str | None:
        return release.recipe

    def elsewhere(home: str) -> LocalBuilder:
        return LocalBuilder(tmp_path / home, site.blobs, environ={"PATH": os.environ["PATH"]})

    environment = await elsewhere("other").env_dir(release.digest, release.env_key, recipe)

    assert output(environment / "bin" / "left-tool") == b"1.0\n"
    with pytest.raises(InternalError, match="nothing is known"):
        await elsewhere("third").env_dir(release.digest, release.env_key)


async def test_an_unchanged_deploy_resolves_and_installs_nothing(site: Site, project: Path) -> None:
    site.wheels.add("left", "1.0")
    need(project, "left\n")
    first = await site.deploy(project)
    assert any("Resolving" in line for line in site.log)
    shutil.rmtree(site.wheels.directory)

    again = await site.deploy(project)

    assert (again.digest, again.env_key) == (first.digest, first.env_key)
    assert not any("Resolving" in line for line in site.log)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing-there\n", "no wheel of nothing-there was found for Python"),
        ("left==9\n", "there is 1.0"),
        ("left\nright==2\n", "conflicting dependencies"),
        ("left==1.0 --hash=sha256:" + "0" * 64 + "\n", "not the one that the lock names"),
        ("-e .\n", "the option -e is not supported"),
        ("left @ git+https://example.org/left\n", "would execute code"),
        ("https://example.org/left-1.0.tar.gz\n", "would execute code"),
        ("../left-1.0-py3-none-any.whl\n", "is not in the project"),
        ("--index-url file:///etc\n", "an index is http or https"),
        ("-r ../../etc/passwd\n", "is not in the project"),
        ("-r requirements.txt\n", "includes itself"),
        ("--index-url https://x.invalid/${HOME}\n", "variables of the server are not put into"),
    ],
)
async def test_what_cannot_be_installed_fails_in_words(
    site: Site, project: Path, text: str, message: str
) -> None:
    site.wheels.add("left", "1.0", ["right<2"])
    site.wheels.add("right", "1.0")
    site.wheels.add("right", "2")
    need(project, text)

    with pytest.raises(BuildFailed) as caught:
        await site.deploy(project)

    assert message in f"{caught.value.message} {caught.value.hint}"
    assert list((site.home / "work").iterdir()) == []


async def test_a_lock_that_lacks_a_package_is_refused(site: Site, project: Path) -> None:
    left = site.wheels.add("left", "1.0", ["right"])
    site.wheels.add("right", "1.0")
    need(project, lock_of(left))

    with pytest.raises(BuildFailed, match="the lock is not complete"):
        await site.deploy(project)


async def test_a_wheel_of_the_project_is_installed(site: Site, project: Path) -> None:
    (project / "vendor").mkdir()
    shutil.move(site.wheels.add("left", "1.0"), project / "vendor")
    need(project, "./vendor/left-1.0-py3-none-any.whl\n")

    release = await site.deploy(project)

    assert await site.python(release, "import left; print(left.VERSION)") == "1.0"


async def test_included_files_count(site: Site, project: Path) -> None:
    site.wheels.add("left", "1.0")
    need(project, "-r requirements/base.txt\n")
    (project / "requirements").mkdir()
    need(project, "left\n", "requirements/base.txt")
    first = await site.deploy(project)
    site.wheels.add("left", "2.0")
    need(project, "left>1\n", "requirements/base.txt")

    assert (await site.deploy(project)).env_key != first.env_key


async def test_dependencies_of_pyproject_are_installed(site: Site, project: Path) -> None:
    site.wheels.add("left", "1.0")
    need(project, '[project]\nname = "x"\nversion = "1"\ndependencies = ["left"]\n', "pyproject.toml")

    release = await site.deploy(project)

    assert await site.python(release, "import left; print(left.VERSION)") == "1.0"


async def test_a_pylock_is_used_as_it_is(site: Site, project: Path) -> None:
    wheel = site.wheels.add("left", "1.0")
    site.wheels.add("left", "2.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    text = 'lock-version = "1.0"\n[[packages]]\nname = "left"\nversion = "1.0"\n'
    text += f'[[packages.wheels]]\nname = "{wheel.name}"\nhashes = {{ sha256 = "{digest}" }}\n'
    need(project, text, "pylock.toml")

    release = await site.deploy(project)

    assert await site.python(release, "import left; print(left.VERSION)") == "1.0"


async def test_a_uv_lock_is_used_as_it_is(site: Site, project: Path) -> None:
    wheel = site.wheels.add("left", "1.0")
    need(
        project,
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["left"]\n',
        "pyproject.toml",
    )
    (project / "uv.lock").write_text(UV_LOCK.format(hash=hashlib.sha256(wheel.read_bytes()).hexdigest()))
    site.wheels.add("left", "2.0")

    release = await site.deploy(project)

    assert await site.python(release, "import left; print(left.VERSION)") == "1.0"
    assert "Downloading the packages of uv.lock" in site.log


async def test_a_python_that_is_not_there_comes_with_those_that_are(site: Site, project: Path) -> None:
    config = project / "ao.toml"
    config.write_text('python = "3.99"\n' + config.read_text())

    with pytest.raises(BuildFailed) as caught:
        await site.deploy(project)

    assert "Python 3.99 is not on this host; found: " in caught.value.message
    assert ".".join(map(str, sys.version_info[:3])) in caught.value.message


async def test_system_packages_and_node_are_checked_not_installed(site: Site, project: Path) -> None:
    config = project / "ao.toml"
    text = config.read_text()
    config.write_text(text + '[build]\nsystem = ["sh", "no-such-package"]\n')
    with pytest.raises(BuildFailed, match="this host does not have no-such-package"):
        await site.deploy(project)

    config.write_text(text + '[build]\nnode = "999"\n')
    with pytest.raises(BuildFailed, match=r"Node\.js 999 is not on this host"):
        await site.deploy(project)
