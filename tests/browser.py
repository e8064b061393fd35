"""Fixtures: one headless Chromium for the session; each test makes a fresh profile in it with `desk`."""

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser
from tests.chromium import CHROMIUM, connected, running_chromium
from tests.databases import IN_CI, install, missing


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running Chromium's debugging port."""
    if shutil.which(CHROMIUM) is None and IN_CI:
        install("chromium")
    if shutil.which(CHROMIUM) is None:
        missing("no browser: install the Debian package chromium")
    with running_chromium(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with connected(chromium) as found:
        yield found


__all__ = ["browser", "chromium"]
