"""Hostile and damaged uploads are refused by name, and nothing of them is left."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.build.conftest import Site

from ao.build.upload import unpack
from ao.domain.errors import InvalidConfig, InvalidInput, UploadRefused
from ao.ids import Digest
from ao.project.packing import DEFAULT_LIMITS, Limits, pack, select

Fill = Callable[[tarfile.TarFile], None]
"""Adds the hostile entries to an archive."""
CONFIG = b'name = "a"\ncommand = ["true"]\n'


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content))


def archive(path: Path, fill: Fill) -> tuple[Path, Digest]:
    with tarfile.open(path, "w") as tar:
        add(tar, "ao.toml", CONFIG)
        fill(tar)
    return path, Digest("sha256:" + hashlib.sha256(path.read_bytes()).hexdigest())


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Fill:
    return lambda tar: add(tar, name, type=kind, linkname=target)


def files(*names: str) -> Fill:
    def fill(tar: tarfile.TarFile) -> None:
        for name in names:
            add(tar, name)

    return fill


def sized(name: str, size: int) -> Fill:
    return lambda tar: add(tar, name, bytes(size))


def both(*fills: Fill) -> Fill:
    def fill(tar: tarfile.TarFile) -> None:
        for each in fills:
            each(tar)

    return fill


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (files("/etc/cron.d/x"), "'/etc/cron.d/x' is an absolute path"),
        (files("../x"), "'../x' leads out of the project"),
        (files("a/../../x"), "'a/../../x' leads out of the project"),
        (files("a/./x"), "'a/./x' is not written in its simplest form"),
        (files("a\nb"), "'a\\nb' has a control character in its name"),
        (files(".ao/models.json"), "'.ao/models.json' is in .ao/, which belongs to AO"),
        (files(".AO/x"), "'.AO/x' is in .ao/, which belongs to AO"),
        (files("a", "a"), "'a' is in the archive twice"),
        (files("a", "A"), "'A' and a are one name on some file systems"),
        (files("AO.toml"), "'AO.toml' and ao.toml are one name on some file systems"),
        (files("é", "e\u0301"), "are one name on some file systems"),
        (files("a", "a/b"), "'a' is in the archive twice"),
        (files("a/b", "a"), "'a' is in the archive twice"),
        (files("x/" * 70 + "y"), "has a path that is too long"),
        (files("x" * 300), "has a path that is too long"),
        (link("l", "/etc/passwd"), "'l' is a link that leaves the project (to /etc/passwd)"),
        (link("l", "../x"), "'l' is a link that leaves the project (to ../x)"),
        (link("d/l", "../../x"), "'d/l' is a link that leaves the project (to ../../x)"),
        (both(link("l", "."), files("l/x")), "'l' is in the archive twice"),
        (link("l", "ao.toml", tarfile.LNKTYPE), "'l' is a hard link"),
        (link("l", "", tarfile.CHRTYPE), "'l' is a device"),
        (link("l", "", tarfile.FIFOTYPE), "'l' is a named pipe"),
    ],
)
async def test_a_hostile_entry_is_refused_by_name(site: Site, tmp_path: Path, fill: Fill, message: str) -> None:
    path, digest = archive(tmp_path / "evil.tar", fill)

    with pytest.raises(UploadRefused) as caught:
        await site.builder.receive(path, digest)

    assert message in caught.value.message
    assert list((site.home / "work").iterdir()) == []


def test_links_that_leave_only_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "in").mkdir()
    fill = both(files("d/e/f"), link("up", "d/e"), link("d/e/out", "../.."), link("far", "up/out/../outside"))
    path, digest = archive(tmp_path / "evil.tar", fill)

    with pytest.raises(UploadRefused, match="'far' is a link that leaves the project"):
        unpack(path, digest, tmp_path / "in", DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(files=4), "'d/2' is one entry too many: at most 4 are allowed"),
        (Limits(total_bytes=4000), "makes the project larger than 0 MiB"),
        (Limits(file_bytes=1000), "'d/0' is larger than 0 MiB"),
    ],
)
def test_limits_hold(tmp_path: Path, limits: Limits, message: str) -> None:
    (tmp_path / "in").mkdir()
    fill = both(*(sized(f"d/{i}", 2000) for i in range(3)))
    path, digest = archive(tmp_path / "big.tar", fill)

    with pytest.raises(UploadRefused) as caught:
        unpack(path, digest, tmp_path / "in", limits)
    assert message in caught.value.message


async def test_a_damaged_upload_is_refused(site: Site, project: Path, tmp_path: Path) -> None:
    digest = pack(project, tmp_path / "a.tar").digest
    content = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(content[:-600])

    with pytest.raises(UploadRefused, match="damaged on its way"):
        await site.builder.receive(tmp_path / "a.tar", digest)
    with pytest.raises(UploadRefused, match="is cut off"):
        await site.builder.receive(
            tmp_path / "a.tar", Digest("sha256:" + hashlib.sha256(content[:-600]).hexdigest())
        )
    assert list((site.home / "work").iterdir()) == []


async def test_the_configuration_is_checked_again(site: Site, project: Path, tmp_path: Path) -> None:
    (project / "ao.toml").write_text('name = "support"\nentrypoint = "agent:mian"\nretries = -1\n')
    digest = pack(project, tmp_path / "a.tar").digest

    with pytest.raises(InvalidConfig) as caught:
        await site.builder.receive(tmp_path / "a.tar", digest)

    assert [problem.line for problem in caught.value.problems] == [2, 3]
    assert list((site.home / "work").iterdir()) == []


async def test_a_project_without_a_configuration_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(InvalidConfig, match=r"there is no ao\.toml"):
        await site.receive(tmp_path / "empty")


NAME = st.text("abcAé.-_ ", min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    st.dictionaries(st.lists(NAME, min_size=1, max_size=4).map("/".join), st.binary(max_size=200), max_size=6)
)
def test_what_is_packed_is_unpacked_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, bytes]
) -> None:
    root, target = tmp_path_factory.mktemp("p"), tmp_path_factory.mktemp("t")
    written: dict[str, bytes] = {}
    for name, body in content.items():
        file = root / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        except OSError:  # a file is in the way of a directory, or the other way round
            continue
        written[name] = body
    try:
        kept = [entry.path for entry in select(root).entries]
    except InvalidInput:
        return
    packed = pack(root, target.with_suffix(".tar"))

    unpack(target.with_suffix(".tar"), packed.digest, target, DEFAULT_LIMITS)

    assert {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()} == {
        name: written[name] for name in kept
    }
    assert pack(target, target.with_suffix(".again")).digest == packed.digest
