"""Modules of releases and packages are compiled beforehand, and nobody waits long for it."""

import asyncio
import hashlib
import stat
import tarfile
from pathlib import Path

from tests.integration.build.conftest import Open, Site

from ao.build import BuildRequest
from ao.ids import Digest


def compiled(code: Path) -> set[str]:
    """Modules that have bytecode."""
    found = (path.relative_to(code) for path in code.rglob("__pycache__/*.pyc"))
    return {str(path.parent.parent / f"{path.name.partition('.')[0]}.py") for path in found}


def modules(code: Path) -> set[str]:
    return {str(path.relative_to(code)) for path in code.rglob("*.py")}


def add_modules(project: Path, count: int, lines: int) -> None:
    body = "".join(f"def f{line}(x):\n    return [x + {line} for _ in range(x)]\n" for line in range(lines))
    (project / "many").mkdir()
    for number in range(count):
        (project / "many" / f"m{number}.py").write_text(f"# {number}\n{body}")


async def test_a_deploy_waits_for_few_modules(site: Site, project: Path) -> None:
    await site.deploy(project)
    (project / "agent.py").write_text("def main(input):\n    return 1\n")
    release = await site.deploy(project)

    assert compiled(await site.builder.code_dir(release.digest)) == {"agent.py"}


async def test_many_modules_are_compiled_while_the_release_is_in_use(site: Site, project: Path) -> None:
    """Whatever the machine: 120,000 lines are not compiled within a quarter of a second."""
    add_modules(project, 200, 300)
    upload = await site.receive(project)
    release = await site.builder.build(BuildRequest(upload), site.log.append)
    code = await site.builder.code_dir(release.digest)
    early = compiled(code)

    await site.builder.settle()

    assert (early, compiled(code)) == (set(), modules(code))
    assert not [path for path in [code, *code.rglob("*")] if stat.S_IMODE(path.stat().st_mode) & 0o222]
    assert list(site.home.joinpath("work").iterdir()) == [upload.directory]


async def test_what_a_killed_process_did_not_compile_is_compiled_by_the_next(
    site: Site, open_site: Open, project: Path, tmp_path: Path
) -> None:
    release = await site.deploy(project)
    code = await site.builder.code_dir(release.digest)
    code.chmod(0o755)
    code.joinpath(".ao").chmod(0o755)
    code.joinpath(".ao/compiled").unlink()
    code.joinpath("__pycache__").chmod(0o755)
    code.joinpath("__pycache__").rename(site.scratch / "lost")
    site.reopen()

    await asyncio.gather(*(site.builder.code_dir(release.digest) for _ in range(4)))
    await site.builder.settle()

    assert compiled(code) == {"agent.py"}


async def test_bytecode_is_not_written_through_the_links_of_a_project(site: Site, project: Path) -> None:
    """`ao deploy` leaves such a link out; other clients may not."""
    (project / "package").mkdir()
    (project / "package" / "module.py").write_text("")
    (project / "package" / "__pycache__").symlink_to("../data")
    archive = site.scratch / "whole.tar"
    with tarfile.open(archive, "w") as tar:
        for path in sorted(project.rglob("*")):
            tar.add(path, path.relative_to(project), recursive=False)
    digest = Digest("sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest())
    release = await site.builder.build(
        BuildRequest(await site.builder.receive(archive, digest)), site.log.append
    )
    await site.builder.settle()

    code = await site.builder.code_dir(release.digest)

    assert (code / "package" / "__pycache__").is_symlink()
    assert [path.name for path in (code / "data").iterdir()] == ["cities.csv"]
    assert compiled(code) == {"agent.py"}


async def test_a_module_that_does_not_compile_does_not_stop_a_deploy(site: Site, project: Path) -> None:
    (project / "old.py").write_text("print 'python 2'\n")
    (project / "zero.py").write_bytes(b"x = '\0'\n")
    (project / "deep.py").write_text("x = " + "(" * 5000 + ")" * 5000)

    release = await site.deploy(project)

    assert compiled(await site.builder.code_dir(release.digest)) == {"agent.py"}


async def test_packages_are_compiled_beforehand(site: Site, project: Path) -> None:
    site.wheels.add("left", "1.0")
    (project / "requirements.txt").write_text("left\n")
    release = await site.deploy(project)

    assert "__pycache__" in await site.python(release, "import left; print(left.__cached__)")
    environment = await site.builder.env_dir(release.digest, release.env_key)
    assert list(environment.glob("lib/*/site-packages/__pycache__/left.*.pyc"))
