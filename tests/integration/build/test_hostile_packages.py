"""Packages that try to execute something on the host, or to write beside their environment."""

from pathlib import Path

import pytest
from tests.integration.build.conftest import Site

from ao.build.pythons import Pythons, number
from ao.domain.errors import BuildFailed

SOURCES = {
    "an archive": "right-1.0.tar.gz",
    "a zip archive": "right-1.0.zip",
    "a directory": "right-1.0",
    "a repository": "right-1.0",
}


def trap(canary: Path) -> str:
    """Python that leaves a trace when it is executed, wherever that is."""
    return f"open({str(canary)!r}, 'w').close()\ndef module(): return ''\n"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "executed"


def need(project: Path, *lines: str) -> None:
    (project / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("kind", SOURCES)
async def test_a_wheel_that_asks_for_source_by_its_address_gets_nothing_executed(
    site: Site, project: Path, canary: Path, kind: str
) -> None:
    address = site.wheels.add_source("right", "1.0", trap(canary)).with_name(SOURCES[kind])
    site.wheels.unpack("right-1.0.tar.gz", zipped=address.suffix == ".zip")
    scheme = "git+file" if kind == "a repository" else "file"
    site.wheels.add("left", "1.0", [f"right @ {scheme}://{address}"])
    need(project, "left")

    with pytest.raises(BuildFailed, match="would execute code to be installed") as caught:
        await site.deploy(project)

    assert not canary.exists()
    assert "[build] source = true" in caught.value.hint


async def test_an_index_of_files_gets_no_source_executed(
    site: Site, project: Path, canary: Path, tmp_path: Path
) -> None:
    site.reopen(PIP_INDEX_URL=f"file://{tmp_path}/index", PIP_NO_INDEX="0", PIP_FIND_LINKS="")
    archive = site.wheels.add_source("right", "1.0", trap(canary))
    wheel = site.wheels.add("left", "1.0", [f"right @ file://{archive}"])
    for file in (wheel, archive):
        page = tmp_path / "index" / file.name.partition("-")[0] / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f'<a href="file://{file}">{file.name}</a>')
    need(project, "left")

    with pytest.raises(BuildFailed, match="would execute code to be installed"):
        await site.deploy(project)

    assert not canary.exists()


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.13"])
async def test_other_pythons_of_the_host_are_not_used_to_execute_either(
    site: Site, project: Path, canary: Path, version: str
) -> None:
    """Before 3.10 it is the pip of that Python, which is as old."""
    if version not in {".".join(map(str, number(python.version)[:2])) for python in Pythons().all()}:
        pytest.skip(f"no Python {version} here")
    archive = site.wheels.add_source("right", "1.0", trap(canary))
    site.wheels.add("left", "1.0", [f"right @ file://{archive}"])
    (project / "ao.toml").write_text(f'name = "x"\ncommand = ["true"]\npython = "{version}"\n')
    need(project, "left")

    with pytest.raises(BuildFailed, match="would execute code to be installed"):
        await site.deploy(project)

    assert not canary.exists()


async def test_nothing_of_a_package_is_executed_by_a_deploy(site: Site, project: Path, canary: Path) -> None:
    files = ("left.pth", "sitecustomize.py", "usercustomize.py", "_virtualenv.pth", "distutils-precedence.pth")
    site.wheels.add("left", "1.0", more={name: "import os; " + trap(canary) for name in files})
    need(project, "left")

    release = await site.deploy(project)
    await site.deploy(project)
    await site.builder.env_dir(release.digest, release.env_key)
    site.lose_environments()
    environment = await site.builder.env_dir(release.digest, release.env_key)

    assert not canary.exists()
    assert list(environment.glob("lib/*/site-packages/left.pth"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("left-1.0.data/scripts/python", "reserved name"),
        ("left-1.0.data/data/bin/python3", "reserved name"),
        ("left-1.0.data/data/bin/activate", "a package changes bin/activate"),
        ("left-1.0.data/data/pyvenv.cfg", "'left-1.0.data/data/pyvenv.cfg' would be the environment's own"),
        ("left-1.0.data/data/.ready", "would be the environment's own"),
        ("left-1.0.data/data/lib64", "would be the environment's own"),
        ("../../escaped.py", "'../../escaped.py' leads out of the environment"),
        ("left-1.0.data/data/../../../escaped", "leads out of the environment"),
        ("left-1.0.data/headers/../../../escaped.h", "leads out of the environment"),
        ("/escaped", "'/escaped' leads out of the environment"),
        ("left-1.0.data/elsewhere/x", "Unknown wheel data type: elsewhere"),
    ],
)
async def test_a_wheel_that_writes_where_it_must_not_is_refused(
    site: Site, project: Path, tmp_path: Path, name: str, message: str
) -> None:
    site.wheels.add("left", "1.0", more={name: "#!/bin/sh\n"})
    need(project, "left")

    with pytest.raises(BuildFailed) as caught:
        await site.deploy(project)

    assert message in caught.value.message
    assert not list((site.home / "envs").glob("*/bin"))
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize("script", ["../../escaped", "../pyvenv.cfg", "python"])
async def test_a_console_script_with_a_path_for_a_name_is_refused(
    site: Site, project: Path, tmp_path: Path, script: str
) -> None:
    site.wheels.add("left", "1.0", scripts={script: "left:main"})
    need(project, "left")

    with pytest.raises(BuildFailed, match="the environment could not be made"):
        await site.deploy(project)

    assert not list((site.home / "envs").glob("*/bin"))
    assert not list(tmp_path.rglob("escaped*"))


async def test_a_record_that_leads_out_moves_nothing(site: Site, project: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    site.wheels.add("left", "1.0", recorded=["../../../../../../../mine", str(tmp_path / "mine")])
    need(project, "left")

    release = await site.deploy(project)

    assert (tmp_path / "mine").read_text() == "mine"
    assert await site.python(release, "import left; print(left.VERSION)") == "1.0"


async def test_a_link_in_a_wheel_is_refused(site: Site, project: Path) -> None:
    site.wheels.add("left", "1.0", links={"passwd": "/etc/passwd"})
    need(project, "left")

    with pytest.raises(BuildFailed, match="'passwd' is a link"):
        await site.deploy(project)


async def test_data_of_a_package_goes_into_the_environment(site: Site, project: Path) -> None:
    names = ("share/left/x", "etc/left.conf", "left/VERSION", "bin/left-sh", "LICENSE")
    site.wheels.add("left", "1.0", more={f"left-1.0.data/data/{name}": "x" for name in names})
    need(project, "left")
    release = await site.deploy(project)

    environment = await site.builder.env_dir(release.digest, release.env_key)

    assert {(environment / name).read_text() for name in names} == {"x"}
