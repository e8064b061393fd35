"""From an upload to a content-addressed release, unpacked and ready."""

import asyncio
import hashlib
import io
import json
import os
import stat
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.integration.build.conftest import Open, Site

from ao.domain.artifact import Manifest, Part


async def test_a_project_becomes_a_release_of_parts(site: Site, project: Path) -> None:
    release = await site.deploy(project)

    parts = json.loads(release.parts)
    assert list(parts) == ["code", "data", "models", "prompts"]
    assert json.loads(release.config)["name"] == "support"
    assert release.lock_digest is None


async def test_the_release_is_unpacked_read_only_with_its_modules_compiled(site: Site, project: Path) -> None:
    release = await site.deploy(project)

    code = await site.builder.code_dir(release.digest)

    assert (code / "prompts/system.md").read_text() == "Be kind.\n"
    assert json.loads((code / ".ao/models.json").read_text()) == {"fast": "openai/small"}
    assert list((code / "__pycache__").glob("agent.*.pyc"))
    assert not (code / "ao.toml").exists()
    assert not [path for path in [code, *code.rglob("*")] if stat.S_IMODE(path.stat().st_mode) & 0o222]


async def test_any_oci_tool_can_read_the_release(site: Site, project: Path, tmp_path: Path) -> None:
    """The layout followed from its index as image-spec 1.1 says, without AO's own code, down to a file."""
    site.wheels.add("left", "1.0")
    (project / "requirements.txt").write_text("left\n")
    release = await site.deploy(project)
    root = site.home / "blobs"

    def content(descriptor: Mapping[str, object], media_type: str) -> bytes:
        assert descriptor["mediaType"] == media_type
        algorithm, _, name = str(descriptor["digest"]).partition(":")
        content = (root / "blobs" / algorithm / name).read_bytes()
        assert (algorithm, name) == ("sha256", hashlib.sha256(content).hexdigest())
        assert descriptor["size"] == len(content)
        return content

    assert json.loads((root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((root / "index.json").read_bytes())
    assert (index["schemaVersion"], index["mediaType"]) == (2, "application/vnd.oci.image.index.v1+json")
    (entry,) = index["manifests"]
    assert entry["digest"] == release.digest
    assert entry["annotations"] == {
        "org.opencontainers.image.ref.name": f"support-{release.digest[7:19]}",
    }
    manifest = json.loads(content(entry, "application/vnd.oci.image.manifest.v1+json"))
    assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, entry["mediaType"])
    assert manifest["artifactType"] == entry["artifactType"] == "application/vnd.ao.release.v1"
    json.loads(content(manifest["config"], "application/vnd.ao.release.config.v1+json"))
    *parts, lock = manifest["layers"]
    assert content(lock, "application/vnd.ao.release.lock.v1+text").startswith(b"left==1.0 --hash=sha256:")
    names: list[str] = []
    for part in parts:
        with tarfile.open(fileobj=io.BytesIO(content(part, "application/vnd.ao.release.part.v1.tar"))) as tar:
            names += tar.getnames()
    assert sorted(names) == [
        ".ao/models.json",
        "agent.py",
        "data/cities.csv",
        "prompts/system.md",
        "requirements.txt",
    ]


async def test_a_release_that_is_collected_is_listed_no_more(site: Site, project: Path) -> None:
    await site.deploy(project)

    await site.builder.collect([], [], dry_run=False)

    assert json.loads((site.home / "blobs" / "index.json").read_bytes())["manifests"] == []


async def test_the_digest_does_not_depend_on_the_home_the_umask_or_the_time(
    open_site: Open, project: Path, tmp_path: Path
) -> None:
    first = await open_site(tmp_path / "one").deploy(project)
    umask, zone = os.umask(0o077), os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    try:
        second = await open_site(tmp_path / "two").deploy(project)
    finally:
        os.umask(umask)
        os.environ.pop("TZ") if zone is None else os.environ.update(TZ=zone)
        time.tzset()

    assert (second.digest, second.parts, second.config) == (first.digest, first.parts, first.config)


async def test_any_part_changed_gives_another_digest_and_a_comment_does_not(site: Site, project: Path) -> None:
    digests = {(await site.deploy(project)).digest}
    for name, text in (("agent.py", "# x\n"), ("prompts/system.md", "x\n"), ("data/cities.csv", "Rome\n")):
        with (project / name).open("a") as file:
            file.write(text)
        digests.add((await site.deploy(project)).digest)
    config = project / "ao.toml"
    config.write_text(config.read_text().replace("small", "large"))
    digests.add((await site.deploy(project)).digest)
    assert len(digests) == 5

    config.write_text("# only a comment\n" + config.read_text())

    assert (await site.deploy(project)).digest in digests


async def test_an_unpacked_release_that_was_lost_comes_back_from_its_blobs(site: Site, project: Path) -> None:
    release = await site.deploy(project)
    code = await site.builder.code_dir(release.digest)
    os.rename(code, code.with_name("lost"))

    again = await asyncio.gather(*(site.builder.code_dir(release.digest) for _ in range(8)))

    assert set(again) == {code}
    assert (code / "agent.py").exists()
    assert sorted(path.name for path in site.home.joinpath("releases").iterdir()) == [
        release.digest[7:],
        "lost",
    ]


async def test_links_and_executable_files_survive(site: Site, project: Path) -> None:
    (project / "run.sh").write_text("#!/bin/sh\n")
    (project / "run.sh").chmod(0o755)
    (project / "latest").symlink_to("data/cities.csv")

    code = await site.builder.code_dir((await site.deploy(project)).digest)

    assert os.access(code / "run.sh", os.X_OK)
    assert os.readlink(code / "latest") == "data/cities.csv"
    assert (code / "latest").read_text() == "city\nOslo\n"


async def test_nothing_of_the_project_is_executed_by_a_deploy(
    site: Site, project: Path, tmp_path: Path
) -> None:
    trap = f"open({str(tmp_path / 'executed')!r}, 'w')\n"
    for name in (
        "agent.py",
        "setup.py",
        "conftest.py",
        "sitecustomize.py",
        "usercustomize.py",
        "pip.py",
        "uv.py",
    ):
        (project / name).write_text(trap + "def main(input): ...\n")
    site.wheels.add("left", "1.0")
    (project / "requirements.txt").write_text("left\n")

    await site.deploy(project)

    assert not (tmp_path / "executed").exists()


async def test_nothing_is_left_of_an_upload(site: Site, project: Path) -> None:
    await site.deploy(project)

    assert list((site.home / "work").iterdir()) == []


async def test_a_manifest_reads_back_as_itself(site: Site, project: Path) -> None:
    content = await site.blobs.get((await site.deploy(project)).digest)

    manifest = Manifest.from_bytes(content)

    assert manifest.to_bytes() == content
    assert set(manifest.parts) == {Part.CODE, Part.MODELS, Part.PROMPTS, Part.DATA}
