"""The release before this one, as its source: what runs beside this one while a fleet is upgraded."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from tests.databases import missing

ROOT = Path(__file__).resolve().parents[1]
PREVIOUS = "34a6231a9e09de776f32306a9905054b41f93a02"
"""A tag, or a commit: before the first release, the first one that may run beside others."""


def _git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Of this clone, whoever owns it."""
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def unpack_previous(directory: Path) -> Path:
    """The directory to import it from."""
    archive = _git("archive", PREVIOUS, "src")
    if archive.returncode != 0:
        why = f"no previous release in the history of this clone: {archive.stderr.decode().strip()}"
        if _git("rev-parse", "--is-shallow-repository").stdout.strip() != b"false":
            pytest.skip(f"{why} (it is a clone without history)")
        missing(why)
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(directory, filter="data")
    return directory / "src"
