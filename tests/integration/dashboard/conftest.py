"""What several suites of the dashboard look at."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import Served, served

from ao.store.sql.store import SqlStore
from ao.testing.many_runs import fill


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Served]:
    """Five agents, one of them failing, and some thousand runs."""
    async with served(tmp_path) as running:
        store = running.services.store
        assert isinstance(store, SqlStore)
        await fill(store, 16_000)
        yield running
