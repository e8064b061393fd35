"""A release with other models and prompts is another release, made of the same bytes where nothing differs."""

import json
import os
from pathlib import Path

import pytest
from tests.integration.build.conftest import Site

from ao.domain.agent_config import AgentConfig
from ao.domain.artifact import Manifest, Part
from ao.domain.assistant import Overrides
from ao.domain.errors import InvalidInput
from ao.ids import Digest
from ao.store.records import BuiltRelease

SYSTEM, OTHER = "prompts/system.md", "prompts/other.md"


async def derived(site: Site, release: BuiltRelease, **overrides: object) -> Digest:
    said = Overrides.model_validate(overrides)
    config = said.over(AgentConfig.model_validate_json(release.config))
    return await site.builder.derive(release.digest, config, said.prompts)


async def manifest(site: Site, digest: Digest) -> Manifest:
    return Manifest.from_bytes(await site.blobs.get(digest))


async def test_equal_overrides_give_equal_releases_and_none_gives_the_base(site: Site, project: Path) -> None:
    release = await site.deploy(project)
    first = await derived(site, release, prompts={SYSTEM: "Be brief.\n"}, models={"fast": "openai/tiny"})
    again = await derived(site, release, models={"fast": "openai/tiny"}, prompts={SYSTEM: "Be brief.\n"})
    other = await derived(site, release, models={"fast": "openai/tiny"})
    assert first == again
    assert len({first, other, release.digest}) == 3
    same = await derived(site, release, prompts={SYSTEM: "Be kind.\n"}, models={"fast": "openai/small"})
    assert same == await derived(site, release) == release.digest


async def test_only_the_parts_that_differ_are_other_ones(site: Site, project: Path) -> None:
    release = await site.deploy(project)
    base = await manifest(site, release.digest)
    changed = await manifest(site, await derived(site, release, prompts={SYSTEM: "Be brief.\n"}))
    different = {part for part in base.parts if base.parts[part] != changed.parts[part]}
    assert different == {Part.PROMPTS}
    assert changed.config == base.config
    longer = await manifest(site, await derived(site, release, timeout=9))
    assert longer.parts == base.parts
    assert json.loads(await site.blobs.get(longer.config.digest))["timeout"] == 9.0


async def test_it_is_unpacked_beside_its_base_and_shares_what_is_alike(site: Site, project: Path) -> None:
    (project / OTHER).write_text("Be quick.\n")
    (project / "data/link.csv").symlink_to("cities.csv")
    release = await site.deploy(project)
    base = await site.builder.code_dir(release.digest)
    overrides: dict[str, object] = {"prompts": {SYSTEM: {"use": OTHER}}, "models": {"fast": {"model": "a/b"}}}
    code = await site.builder.code_dir(await derived(site, release, **overrides))
    assert (code / SYSTEM).read_text() == "Be quick.\n"
    assert json.loads((code / ".ao/models.json").read_text()) == {"fast": {"model": "a/b"}}
    assert (base / SYSTEM).read_text() == "Be kind.\n"
    assert _tree(code) == _tree(base)
    files = {name for name in _tree(base) if (base / name).is_file()}
    alike = {name for name in files if os.path.samefile(base / name, code / name)}
    assert alike >= {"agent.py", "data/cities.csv", ".ao/compiled"}
    assert not alike & {SYSTEM, OTHER, ".ao/models.json"}
    await site.builder.settle()
    await site.builder.collect([release.env_key], [release.digest], dry_run=False)
    assert not code.exists()
    assert (base / "agent.py").read_text()


def _tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


async def test_after_a_restart_it_is_unpacked_from_its_parts(site: Site, project: Path) -> None:
    release = await site.deploy(project)
    digest = await derived(site, release, prompts={SYSTEM: "Be brief.\n"})
    site.reopen()
    code = await site.builder.code_dir(digest)
    assert (code / SYSTEM).read_text() == "Be brief.\n"
    assert (code / "agent.py").read_text() == (project / "agent.py").read_text()


async def test_modules_among_the_prompts_are_compiled_anew(site: Site, project: Path) -> None:
    (project / "prompts/words.py").write_text("TEXT = 'kind'\n")
    release = await site.deploy(project)
    digest = await derived(site, release, prompts={"prompts/words.py": "TEXT = 'brief'\n"})
    code = await site.builder.code_dir(digest)
    await site.builder.settle()
    program = f"import sys; sys.path.insert(0, {str(code)!r}); import prompts.words as w; print(w.TEXT)"
    assert await site.python(release, program) == "brief"


async def test_prompts_that_are_not_there_are_named(site: Site, project: Path) -> None:
    release = await site.deploy(project)
    with pytest.raises(InvalidInput) as caught:
        await derived(site, release, prompts={"prompts/sytem.md": "x", SYSTEM: {"use": "data/cities.csv"}})
    told = {problem.field: problem.hint for problem in caught.value.problems}
    assert told["overrides.prompts.prompts/sytem.md"] == f"did you mean {SYSTEM}?"
    assert f"overrides.prompts.{SYSTEM}.use" in told
