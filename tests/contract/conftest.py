"""What several suites of this directory start from."""

import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A directory that runs may enter, with an environment `env`."""
    with tempfile.TemporaryDirectory(prefix="ao-warm-") as name:
        Path(name).chmod(0o755)
        venv.create(Path(name, "env"), symlinks=True)
        yield Path(name)
