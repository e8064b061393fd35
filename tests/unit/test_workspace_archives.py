"""Archives of workspaces that somebody made to hurt: they are refused before they cost anything."""

import tarfile
from pathlib import Path

import pytest

from ao.control.workspace_archives import list_archive
from ao.domain.errors import UploadRefused

LIMIT = 1 << 20


def test_a_path_of_many_directories_is_not_taken_apart(tmp_path: Path) -> None:
    archive = tmp_path / "deep.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("a/" * 2_000 + "file"))
    with pytest.raises(UploadRefused, match="more than 1,024 bytes"):
        list_archive(archive, LIMIT)


def test_a_size_below_zero_does_not_make_the_same_entry_be_read_for_ever(tmp_path: Path) -> None:
    archive = tmp_path / "back.tar"
    header = tarfile.TarInfo("file")
    header.size = -512  # from the end of its header back to its begin
    archive.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(UploadRefused, match="size below 0"):
        list_archive(archive, LIMIT)
