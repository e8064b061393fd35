"""The tar format of AO: what it writes others read, what others write it reads, and tricks are refused."""

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ao.project import archive
from ao.project.archive import BadArchive, Entry, Kind, Reader
from ao.project.paths import why_refused

NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=60)
PATH = st.lists(NAME, min_size=1, max_size=6).map("/".join).filter(lambda path: why_refused(path) is None)
FILE = st.tuples(PATH, st.binary(max_size=2000), st.booleans())


def write(entries: list[tuple[Entry, bytes]]) -> bytes:
    chunks = [archive.header(entry) + content + archive.padding(entry.size) for entry, content in entries]
    return b"".join(chunks) + archive.ending()


def read(content: bytes) -> list[tuple[Entry, bytes]]:
    reader = Reader(io.BytesIO(content))
    return [(entry, b"".join(reader.chunks())) for entry in reader]


@given(st.lists(FILE, max_size=5), st.lists(st.tuples(PATH, PATH), max_size=3))
def test_what_is_written_is_read_back(
    files: list[tuple[str, bytes, bool]], links: list[tuple[str, str]]
) -> None:
    entries = [(Entry(path, size=len(body), executable=x), body) for path, body, x in files]
    entries += [(Entry(path, Kind.LINK, target=target), b"") for path, target in links]

    assert read(write(entries)) == entries


@given(st.lists(FILE, max_size=5))
def test_other_programs_read_what_is_written(files: list[tuple[str, bytes, bool]]) -> None:
    content = write([(Entry(path, size=len(body), executable=x), body) for path, body, x in files])

    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
        bodies = [tar.extractfile(member) for member in members]

    assert [(m.name, m.mode, m.mtime, m.uid, m.uname) for m in members] == [
        (path, 0o755 if x else 0o644, 0, 0, "") for path, _, x in files
    ]
    assert [body.read() for body in bodies if body] == [body for _, body, _ in files]


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("path", ["a.txt", "d" * 60 + "/" + "f" * 60, "ü/ß.txt"])
def test_archives_of_other_programs_are_read(style: int, path: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=style) as tar:
        info = tarfile.TarInfo(path)
        info.size, info.mtime = 5, 1_700_000_000
        tar.addfile(info, io.BytesIO(b"hello"))

    assert read(out.getvalue()) == [(Entry(path, size=5), b"hello")]


@given(st.binary(max_size=3000))
def test_garbage_is_refused_and_nothing_else_happens(content: bytes) -> None:
    with pytest.raises(BadArchive):
        read(content)


@given(st.data())
def test_a_damaged_archive_is_refused_or_read_as_some_archive(data: st.DataObject) -> None:
    content = bytearray(write([(Entry("ä" * 40, size=700), b"x" * 700), (Entry("b", size=3), b"yyy")]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(content))
    except BadArchive:
        return


@pytest.mark.parametrize("length", range(0, 3 * 512, 100))
def test_a_truncated_archive_is_refused(length: int) -> None:
    content = write([(Entry("a", size=600), b"x" * 600)])

    with pytest.raises(BadArchive, match="cut off"):
        read(content[:length])


def test_a_header_that_claims_gigabytes_of_names_is_refused_unread() -> None:
    block = archive._block(b"././@PaxHeader", b"x", 7 << 30, False, b"")

    with pytest.raises(BadArchive, match="has a header of 7516192768 bytes"):
        read(block + archive.ending())


def test_content_after_the_end_mark_is_refused() -> None:
    with pytest.raises(BadArchive, match="goes on after its end mark"):
        read(write([]) + write([(Entry("hidden"), b"")]))


def test_a_sparse_file_is_refused() -> None:
    body = archive._record("GNU.sparse.major", b"1")
    block = archive._block(b"././@PaxHeader", b"x", len(body), False, b"")

    with pytest.raises(BadArchive, match="sparse"):
        read(block + body + archive.padding(len(body)) + archive.header(Entry("f")) + archive.ending())


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a named pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
    ],
)
def test_what_is_neither_file_nor_link_is_refused_by_name(kind: bytes, named: str, tmp_path: Path) -> None:
    info = tarfile.TarInfo("odd/one")
    info.type, info.linkname = kind, "x"

    with pytest.raises(BadArchive, match=f"'odd/one' is {named}"):
        read(info.tobuf(tarfile.GNU_FORMAT) + archive.ending())
