"""Packages that have no wheel are built in a real sandbox, which sees nothing of the host."""

import os
from pathlib import Path

import pytest
from tests.integration.build.conftest import Site

from ao.domain.errors import BuildFailed
from ao.sandbox import Executor, Level

LOOK_AROUND = """
import os, pathlib

def module():
    found = {path: os.path.exists(path) for path in CANARIES}
    found["written"] = written()
    found["environment"] = sorted(os.environ)
    return f"FOUND = {found!r}"

def written():
    for path in CANARIES:
        try:
            pathlib.Path(path).parent.joinpath("trace").write_text("was here")
            return True
        except OSError:
            pass
    return False
"""


def add_source(site: Site, canaries: list[Path]) -> Path:
    """A source archive of `right` whose build looks around."""
    canary_names = [str(path) for path in canaries]
    return site.wheels.add_source("right", "1.0", f"CANARIES = {canary_names!r}\n{LOOK_AROUND}")


def allow_source(project: Path, requirements: str = "left\nright\n") -> None:
    config = project / "ao.toml"
    config.write_text(config.read_text() + "[build]\nsource = true\n")
    (project / "requirements.txt").write_text(requirements)


async def test_a_build_from_source_sees_nothing_of_the_host(
    site: Site, project: Path, tmp_path: Path, executor: Executor
) -> None:
    canaries = [tmp_path / "home" / "key", tmp_path / "home" / "ao.db", Path.home() / ".bashrc"]
    for canary in canaries[:2]:
        canary.write_text("secret")
    site.reopen(executor, AO_API_KEY="secret", OPENAI_API_KEY="secret")
    site.wheels.add("left", "1.0")
    add_source(site, canaries)
    allow_source(project)

    release = await site.deploy(project)

    found = eval(await site.python(release, "import left, right; print(right.FOUND)"))
    if executor.info.level is Level.NAMESPACES:  # Landlock refuses to open them only
        assert [found[str(path)] for path in canaries] == [False, False, False]
    assert found["written"] is False
    assert not {"AO_API_KEY", "OPENAI_API_KEY"} & set(found["environment"])
    assert list((site.home / "work").iterdir()) == []


async def test_what_a_wheel_asks_for_by_its_address_is_built_in_the_sandbox(
    site: Site, project: Path, tmp_path: Path, executor: Executor
) -> None:
    canary = tmp_path / "home" / "key"
    canary.write_text("secret")
    archive = add_source(site, [canary])
    site.wheels.add("left", "1.0", [f"right @ file://{archive}"])
    allow_source(project, "left\n")
    site.reopen(executor)

    release = await site.deploy(project)

    found = eval(await site.python(release, "import left, right; print(right.FOUND)"))
    assert found["written"] is False
    assert not (canary.parent / "trace").exists()


async def test_a_build_sees_the_certificates_and_settings_of_the_host_whatever_the_umask(
    site: Site, project: Path, tmp_path: Path, executor: Executor
) -> None:
    """Also what only a configuration file says; nothing that pip would write to."""
    authority, config = tmp_path / "own" / "ca.pem", tmp_path / "pip.conf"
    authority.parent.mkdir()
    authority.write_text("certificates")
    authority.parent.chmod(0o755)
    config.write_text(f"[global]\nfind-links = {site.wheels.directory}\nlog = {tmp_path}/pip.log\n")
    site.wheels.add_source(
        "right",
        "1.0",
        "import os\ndef module(): return f'SAID = {open(os.environ[\"SSL_CERT_FILE\"]).read()!r}'\n",
    )
    site.wheels.add("left", "1.0")
    allow_source(project)
    site.environ.pop("PIP_FIND_LINKS")
    site.reopen(executor, SSL_CERT_FILE=str(authority), PIP_CONFIG_FILE=str(config))

    umask = os.umask(0o077)
    try:
        release = await site.deploy(project)
    finally:
        os.umask(umask)

    assert await site.python(release, "import left, right; print(right.SAID)") == "certificates"


async def test_without_leave_nothing_is_built_from_source(site: Site, project: Path) -> None:
    add_source(site, [])
    (project / "requirements.txt").write_text("right\n")

    with pytest.raises(BuildFailed, match="no wheel of right was found") as caught:
        await site.deploy(project)

    assert "[build] source = true" in caught.value.hint


async def test_without_a_sandbox_nothing_is_built_from_source(site: Site, project: Path) -> None:
    add_source(site, [])
    allow_source(project)

    with pytest.raises(BuildFailed, match="cannot isolate"):
        await site.deploy(project)
