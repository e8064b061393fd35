"""What a runner says of steps, however much of it, against a real store."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ao.blobs.local import LocalBlobs
from ao.bus.local import LocalBus
from ao.clock import SystemClock
from ao.control.payloads import Payloads
from ao.domain.errors import NotFound
from ao.domain.question import MAX_QUESTIONS
from ao.domain.step import StepState
from ao.ids import Digest, RunId
from ao.store.records import Payload
from ao.store.sql import open_sqlite
from ao.store.sql.engine import ClockOffset
from ao.testing.store_contract import Harness
from ao.worker import steps
from ao.worker.recorder import Recorder
from ao.worker.steps import StepDesk
from ao_runner.protocol import ProtocolError

PATIENCE_SECONDS = 60.0


class Wire:
    """The end that the runner has."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.heard.append(message)


@dataclass
class Bench:
    desk: StepDesk
    harness: Harness
    run_id: RunId
    wire: Wire
    crashes: list[BaseException]

    def begin(self, path: str, **more: Any) -> None:
        self.desk.take({"type": "step", "id": 0, "path": path, "name": path, "kind": "step", **more})

    async def idle(self) -> None:
        """Everything that was asked is answered, or cannot be."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.desk._tasks:
                await asyncio.wait(self.desk._tasks)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    offset = ClockOffset()
    store = await open_sqlite(tmp_path / "ao.db", offset=offset)
    harness = Harness(store, store, offset)
    _, claim = await harness.running()
    recorder = Recorder(store, LocalBus(), claim.run_id, claim.fence, claim.attempt, lambda: None)
    payloads = Payloads(LocalBlobs(tmp_path / "blobs"))
    wire, crashes = Wire(), list[BaseException]()
    desk = StepDesk(
        claim,
        recorder,
        store.steps,
        payloads,
        SystemClock(),
        wire.send,
        lambda path, seconds: None,
        crashes.append,
    )
    try:
        yield Bench(desk, harness, claim.run_id, wire, crashes)
    finally:
        wire.reads.set()
        await desk.close()
        await recorder.close()
        await store.close()


async def test_who_asks_and_does_not_listen_is_not_heard_any_more(bench: Bench) -> None:
    bench.wire.reads.clear()
    asked = steps.UNDER_WAY_BYTES // steps.TASK_BYTES + 1
    for number in range(asked):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await bench.desk.room()
        bench.desk.take({"type": "lookup", "id": number + 1, "path": "a"})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await bench.desk.room()
    bench.wire.reads.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await bench.desk.room()
    await bench.idle()
    assert [message["id"] for message in bench.wire.heard] == list(range(1, asked + 1))


async def test_large_results_that_are_being_kept_make_the_runner_wait(bench: Bench) -> None:
    bench.wire.reads.clear()
    value = "x" * (steps.UNDER_WAY_BYTES // 4)
    for number in range(4):
        bench.begin(f"step-{number}")
        bench.desk.take({"type": "step_end", "id": number + 1, "path": f"step-{number}", "value": value})
    assert not bench.desk._slack.is_set()
    bench.wire.reads.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await bench.desk.room()


async def test_one_attempt_asks_so_many_questions_and_is_told_so(bench: Bench) -> None:
    for number in range(MAX_QUESTIONS + 1):
        asked = {"path": f"ask[{number}]", "name": "ask", "key": str(number), "fingerprint": ""}
        bench.desk.take({"type": "question", "id": number + 1, "kind": "question", "text": "?", **asked})
    again = {"path": "ask[0]", "name": "ask", "key": "0", "fingerprint": ""}
    bench.desk.take({"type": "question", "id": 999, "kind": "question", "text": "?", **again})
    await bench.idle()
    refused = [
        message["id"] for message in bench.wire.heard if message.get("error") == steps.TOO_MANY_QUESTIONS
    ]
    assert refused == [MAX_QUESTIONS + 1]


async def test_sleeps_count_as_steps(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_STEPS", 2)
    bench.begin("a")
    bench.desk.take({"type": "sleep", "id": 1, "path": "b", "name": "b", "until_us": 1})
    with pytest.raises(ProtocolError, match="steps in one attempt"):
        bench.desk.take({"type": "sleep", "id": 2, "path": "c", "name": "c", "until_us": 1})


@pytest.mark.parametrize("number", [None, "often", float("nan"), 0, [1] * 1000])
async def test_a_retry_that_makes_no_sense_is_no_event(bench: Bench, number: object) -> None:
    bench.begin("a")
    with pytest.raises(ProtocolError, match="tried again"):
        bench.desk.take({"type": "step_retry", "path": "a", "try": number, "delay": 1, "error": {}})


async def test_a_record_that_cannot_be_read_ends_the_attempt_and_not_the_patience(bench: Bench) -> None:
    """Nobody would ever answer the step that asks for it."""
    gone = Digest("sha256:" + "0" * 64)
    bench.begin("a")
    step = dataclasses.replace(bench.desk._open["a"], state=StepState.COMPLETED, value_blob=gone)
    bench.desk._complete(step, Payload(blob=gone))
    assert await bench.desk._recorder.durable()
    bench.desk.take({"type": "lookup", "id": 1, "path": "a"})
    await bench.idle()
    assert [type(error) for error in bench.crashes] == [NotFound]
    assert bench.wire.heard == []


async def test_a_result_that_is_refused_is_the_failure_of_its_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "MAX_VALUE_BYTES", 5)
    bench.begin("a")
    bench.desk.take({"type": "step_end", "id": 1, "path": "a", "value": "too long"})
    await bench.idle()
    assert bench.wire.heard[0]["error"] == steps.TOO_LARGE
    assert await bench.desk._recorder.durable()
    (step,) = await bench.harness.store.steps.list(bench.run_id, 10)
    assert (step.state, step.error and step.error.message) == (StepState.FAILED, steps.TOO_LARGE)
