"""One running platform for each file of acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.command import Ao, Platform, platform_up


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    root = tmp_path_factory.mktemp("platform")
    platform = platform_up(Ao(root / "home", root))
    try:
        yield platform
    finally:
        if platform.process.poll() is None:
            result = platform.stop()
            assert result.status == 0, result.err
        platform.ao.end()


@pytest.fixture(scope="module")
def ao(platform: Platform) -> Ao:
    return platform.ao


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Ao]:
    """The command where no server runs."""
    ao = Ao(tmp_path / "home", tmp_path)
    yield ao
    ao.end()
