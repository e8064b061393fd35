"""The release before this one, as its source: what runs beside this one while a fleet is upgraded."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests.databases import missing

ROOT = Path(__file__).resolve().parents[1]
PREVIOUS = "34a6231a9e09de776f32306a9905054b41f93a02"
"""A tag, or a commit: before the first release, the first one that may run beside others."""


def unpack_previous(directory: Path) -> Path:
    """The directory to import it from."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", PREVIOUS, "src"], capture_output=True, check=False
    )
    if archive.returncode != 0:
        missing(f"no previous release in the history of this clone: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(directory, filter="data")
    return directory / "src"
