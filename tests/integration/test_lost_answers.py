"""Commits that Postgres has made and whose answers are lost on the way."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.chaos.fleet.proxy import Proxy
from tests.platform import until

from ao.bus.local import LocalBus
from ao.domain.errors import Unavailable
from ao.domain.event import EventKind
from ao.store.records import Claim
from ao.store.sql import open_postgres
from ao.store.sql.engine import ClockOffset
from ao.testing.store_contract import Harness
from ao.worker.recorder import Recorder


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    directory = Path(parse_qs(urlsplit(postgres_url).query)["host"][0])
    proxy = Proxy("127.0.0.1", directory / ".s.PGSQL.5432", random.Random(1))
    yield proxy
    proxy.close()


@pytest.fixture
async def harness(postgres_url: str, proxy: Proxy) -> AsyncIterator[Harness]:
    """The store of a worker is behind the proxy, the replica is not."""
    offset, parts = ClockOffset(), urlsplit(postgres_url)
    behind = f"postgresql://{parts.username}@127.0.0.1:{proxy.port}{parts.path}"
    store = await open_postgres(behind, offset=offset)
    replica = await open_postgres(postgres_url, offset=offset)
    yield Harness(store, replica, offset)
    await store.close()
    await replica.close()


async def test_what_a_caller_is_told_leaves_open_whether_it_happened(harness: Harness, proxy: Proxy) -> None:
    proxy.unanswered = 1.0
    with pytest.raises(Unavailable) as refused:
        await harness.running()
    assert refused.value.details == {"outcome": "unknown"}
    assert proxy.cuts == 1


async def cut_while_writing(harness: Harness, proxy: Proxy, claim: Claim) -> Recorder:
    """A recorder whose first event the store has, which it does not know; a second one waits."""
    recorder = Recorder(harness.store, LocalBus(), claim.run_id, claim.fence, claim.attempt, lambda: None)
    proxy.unanswered = 1.0
    recorder.event(EventKind.OUTPUT, 10, {"value": 1})
    await asyncio.to_thread(until, lambda: proxy.cuts == 1)
    recorder.event(EventKind.OUTPUT, 11, {"value": 2})
    return recorder


async def test_events_of_an_attempt_are_written_once(harness: Harness, proxy: Proxy) -> None:
    _, claim = await harness.running()
    recorder = await cut_while_writing(harness, proxy, claim)
    proxy.unanswered = 0.0
    assert await asyncio.wait_for(recorder.durable(), 60)
    assert await recorder.close() == []
    assert [event.data.get("value") for event in await harness.events(claim.run_id)] == [None, None, 1, 2]


async def test_events_of_an_attempt_that_ends_meanwhile_are_written_once(
    harness: Harness, proxy: Proxy
) -> None:
    _, claim = await harness.running()
    recorder = await cut_while_writing(harness, proxy, claim)
    closing = asyncio.create_task(recorder.close())
    await asyncio.sleep(0.1)
    proxy.unanswered = 0.0
    await harness.store.runs.append(claim.run_id, claim.fence, await asyncio.wait_for(closing, 60))
    assert [event.data.get("value") for event in await harness.events(claim.run_id)] == [None, None, 1, 2]
