"""The recorder against a real store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ao.bus.local import LocalBus
from ao.domain.event import EventKind
from ao.store.records import Claim
from ao.store.sql import open_sqlite
from ao.store.sql.engine import ClockOffset
from ao.testing.store_contract import Harness
from ao.worker.recorder import CHUNK_BYTES, PENDING_BYTES, Recorder


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Harness]:
    offset = ClockOffset()
    opened = await open_sqlite(tmp_path / "ao.db", offset=offset)
    try:
        yield Harness(opened, opened, offset)
    finally:
        await opened.close()


class Refusals:
    def __init__(self) -> None:
        self.count = 0
        self.came = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self.came.set()


def recorder_of(store: Harness, claim: Claim, refused: Refusals) -> Recorder:
    return Recorder(store.store, LocalBus(), claim.run_id, claim.fence, claim.attempt, refused)


async def test_lines_become_chunks_in_order_and_streams_do_not_mix(store: Harness) -> None:
    _, claim = await store.running()
    recorder = recorder_of(store, claim, Refusals())
    recorder.lines("stdout", [[1, "a"], [2, "b"]])
    recorder.lines("stderr", [[3, "c"]])
    recorder.event(EventKind.OUTPUT, 4, {"value": 1})
    recorder.lines("stdout", [[5, "d" * CHUNK_BYTES], [6, "e"]])
    last = await store.store.runs.append(claim.run_id, claim.fence, await recorder.close())
    events = await store.store.runs.events(claim.run_id, 2, 100)
    shown = [(e.kind.value, e.data.get("stream"), len(e.data.get("lines", []))) for e in events]  # type: ignore[arg-type]
    assert shown == [
        ("log", "stdout", 2),
        ("log", "stderr", 1),
        ("output", None, 0),
        ("log", "stdout", 1),
        ("log", "stdout", 1),
    ]
    assert last == events[-1].seq == 7


async def test_an_attempt_with_a_newer_owner_is_told_once_and_nobody_waits_for_room(store: Harness) -> None:
    _, claim = await store.running()
    await store.store.runs.hand_back(claim.run_id, claim.fence, [])
    refused = Refusals()
    recorder = recorder_of(store, claim, refused)
    recorder.lines("stdout", [[1, "late"]])
    await asyncio.wait_for(refused.came.wait(), 60)
    for _ in range(3):
        recorder.lines("stdout", [[2, "x" * PENDING_BYTES]])
        recorder.event(EventKind.OUTPUT, 3, {"value": 1}, size=PENDING_BYTES)
    await asyncio.wait_for(recorder.room(), 60)
    assert await recorder.close() == []
    assert refused.count == 1


async def test_what_nobody_could_write_is_dropped_with_a_refusal_and_not_a_hang(store: Harness) -> None:
    _, claim = await store.running()
    refused = Refusals()
    recorder = recorder_of(store, claim, refused)
    recorder.event(EventKind.OUTPUT, 1, {"value": object()}, size=PENDING_BYTES + 1)
    await asyncio.wait_for(recorder.room(), 60)
    assert await recorder.close() == []
    assert refused.count == 1


async def test_a_store_that_takes_nothing_makes_the_reader_wait_and_loses_nothing(store: Harness) -> None:
    _, claim = await store.running()
    await store.store.close()
    refused = Refusals()
    recorder = recorder_of(store, claim, refused)
    recorder.lines("stdout", [[1, "x" * PENDING_BYTES]])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(recorder.room(), 0.1)
    assert [event.kind for event in await recorder.close()] == [EventKind.LOG]
    assert refused.count == 0
