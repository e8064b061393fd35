"""What changed between two releases, part by part and line by line."""

from pathlib import Path

from tests.integration.build.conftest import Site

from ao.wire.schemas import PartDiff


async def diff(site: Site) -> dict[str, PartDiff]:
    after, before = site.released[:2]
    return {part.part: part for part in await site.builder.diff(before.digest, after.digest)}


async def test_equal_releases_differ_in_nothing(site: Site, project: Path) -> None:
    await site.deploy(project)
    await site.deploy(project)

    assert {part.change for part in (await diff(site)).values()} == {"same"}


async def test_each_part_tells_its_own_changes(site: Site, project: Path) -> None:
    await site.deploy(project)
    (project / "prompts/system.md").write_text("Be kind.\nBe brief.")
    (project / "agent.py").unlink()
    (project / "agent2.py").write_text("def main(input): ...\n")
    (project / "data/cities.csv").unlink()
    (project / "ao.toml").write_text(
        'name = "support"\nentrypoint = "agent2:main"\ntimeout = "1m"\n'
        '[models]\nfast = "openai/large"\n[tools]\nallow = ["mail"]\n'
    )
    await site.deploy(project)

    parts = await diff(site)

    assert {name: part.change for name, part in parts.items()} == {
        "code": "changed",
        "models": "changed",
        "prompts": "changed",
        "tools": "added",
        "data": "removed",
        "config": "changed",
    }
    assert [(file.path, file.change) for file in parts["code"].files] == [
        ("agent.py", "removed"),
        ("agent2.py", "added"),
    ]
    assert parts["prompts"].files[0].diff == (
        "--- a/prompts/system.md\n+++ b/prompts/system.md\n@@ -1 +1,2 @@\n"
        " Be kind.\n+Be brief.\n\\ No newline at end of file\n"
    )
    assert '-  "fast": "openai/small"\n+  "fast": "openai/large"\n' in parts["models"].files[0].diff
    assert '+    "mail"\n' in parts["tools"].files[0].diff
    config = parts["config"].files[0].diff
    assert '-  "timeout": 600,\n+  "timeout": 60,\n' in config
    assert "models" not in config


async def test_a_changed_lock_shows_versions(site: Site, project: Path) -> None:
    for version in ("1.0", "2.0"):
        site.wheels.add("left", version)
        (project / "requirements.txt").write_text(f"left=={version}\n")
        await site.deploy(project)

    (change,) = (await diff(site))["lock"].files

    assert "-left==1.0 --hash=sha256:" in change.diff
    assert "+left==2.0 --hash=sha256:" in change.diff


async def test_binary_large_and_executable_files_are_said_to_be_so(site: Site, project: Path) -> None:
    for index in range(2):
        (project / "blob.bin").write_bytes(b"\0\1" + bytes([index]))
        (project / "latin.txt").write_bytes(b"caf\xe9 %d" % index)
        (project / "large.txt").write_text("x\n" * 400_000 + str(index))
        (project / "run.sh").write_text("#!/bin/sh\n")
        (project / "run.sh").chmod(0o755 if index else 0o644)
        (project / "link").unlink(missing_ok=True)
        (project / "link").symlink_to("blob.bin" if index else "run.sh")
        await site.deploy(project)

    changes = {file.path: file for file in (await diff(site))["code"].files}

    assert [name for name, change in changes.items() if change.binary] == ["blob.bin", "large.txt", "latin.txt"]
    assert changes["run.sh"].diff == "now executable\n"
    assert "-→ run.sh\n+→ blob.bin\n" in changes["link"].diff


async def test_a_diff_has_an_end(site: Site, project: Path) -> None:
    for index in range(2):
        (project / "long.txt").write_text("".join(f"{index} {line}\n" for line in range(10_000)))
        await site.deploy(project)

    lines = (await diff(site))["code"].files[0].diff.splitlines()

    assert len(lines) == 2_001
    assert lines[-1] == "… the rest of the diff is left out after 2000 lines"
