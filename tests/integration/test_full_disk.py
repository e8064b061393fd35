"""A full disk: what was accepted is not lost, what is refused is told, and space is all it takes to go on."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.local import Local, local_platform
from tests.platform import descendants_of
from tests.served import thread, until
from tests.small_disk import SmallDisk, small_disk

from ao.domain.errors import StorageFull
from ao.domain.run import RunState
from ao.ids import RunId
from ao.store.audit import AuditFilter
from ao.wiring.pulse import beat_forever
from ao.worker import steps

FUNCTION = 'entrypoint = "agent:work"\nretries = 0\n[sandbox]\nnetwork = "full"'
AGENT = """
import socket
def work(port):
    print("on", flush=True)
    if port:
        socket.create_connection(("127.0.0.1", port)).recv(1)
    for number in range(2000):
        print("line", number, "x" * 100)
    return port
"""
SIZE = "96m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", SIZE) as disk:
        yield disk


class Gate:
    """What agents wait for that were given its port."""

    def __init__(self) -> None:
        self.port = 0
        self.opened = asyncio.Event()

    async def hold(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.opened.wait()
        writer.close()


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    made = Gate()
    server = await asyncio.start_server(made.hold, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    made.opened.set()
    server.close()


@pytest.fixture
async def ao(disk: SmallDisk) -> AsyncIterator[Local]:
    settings = {"AO_HEARTBEAT_SECONDS": "0.3", "AO_LEASE_SECONDS": "1.5", "AO_SWEEP_SECONDS": "0.2"}
    async with local_platform(disk.path, settings) as local:
        await local.deploy("filled", {"agent.py": AGENT}, toml=FUNCTION)
        yield local


async def submit_until_refused(ao: Local) -> list[RunId]:
    """What was accepted before the disk was full in truth: the database has some room of its own."""
    accepted: list[RunId] = []
    while len(accepted) < 20_000:
        try:
            accepted.append(await ao.submit("filled", 0))
        except StorageFull:
            return accepted
    raise AssertionError("the disk does not get full")


async def sandboxes_gone(ao: Local) -> None:
    """No run is left, nor a template that waits for the next."""
    (supervisor,) = ao.supervisors()
    await ao.platform.executor.cool()
    async with asyncio.timeout(60):
        while descendants_of(supervisor):  # noqa: ASYNC110 - the kernel gives no other sign
            await asyncio.sleep(0.02)


async def check(ao: Local, run_id: RunId) -> None:
    run = await ao.result(run_id)
    assert (run.head.state, run.head.failures) == (RunState.COMPLETED, 0)
    assert [event.seq for event in await ao.events(run_id)] == list(range(1, run.last_seq + 1))


async def test_what_ends_while_the_disk_is_full_is_written_when_there_is_space(
    ao: Local, disk: SmallDisk, gate: Gate
) -> None:
    running = await ao.submit("filled", gate.port)
    await ao.until_line(running, "on")
    disk.fill()
    accepted = await submit_until_refused(ao)
    gate.opened.set()
    await sandboxes_gone(ao)
    disk.free()
    await check(ao, running)
    for run_id in accepted[:20]:
        await check(ao, run_id)
    await check(ao, await ao.submit("filled", 0))


async def test_garbage_is_collected_while_the_disk_is_full_and_is_in_the_audit_log(
    ao: Local, disk: SmallDisk
) -> None:
    unused = await ao.platform.ground.blobs.put(bytes(8 << 20))
    (file,) = ao.platform.ground.home.root.rglob(unused.removeprefix("sha256:"))
    os.utime(file, (0, 0))
    disk.fill()
    await submit_until_refused(ao)
    collected = await ao.platform.deployments.gc(dry_run=False, actor="key:admin")
    assert collected.freed_bytes >= 8 << 20
    assert not await ao.platform.ground.blobs.exists(unused)
    entries = await ao.platform.store.audit.list(AuditFilter(action="server.gc"), 10)
    assert [each.entry.actor for each in entries] == ["key:admin"]
    await check(ao, await ao.submit("filled", 0))


async def test_a_disk_that_is_full_for_longer_than_a_lease_costs_time_only(
    ao: Local, disk: SmallDisk, gate: Gate
) -> None:
    running = await ao.submit("filled", gate.port)
    await ao.until_line(running, "on")
    disk.fill()
    await submit_until_refused(ao)
    store = ao.platform.store

    async def lease_is_over() -> bool:
        now_us = await store.schedules.now_us()
        return all(worker.lease_until_us < now_us for worker in await store.workers.list())

    await until(lease_is_over)
    disk.free()
    gate.opened.set()
    await check(ao, running)


async def test_a_step_whose_result_finds_no_space_waits_for_it(
    ao: Local, disk: SmallDisk, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = AGENT.replace("    return port", "    return len(step.run('big', lambda: 'x' * 300_000))")
    await ao.deploy("stepped", {"agent.py": f"from ao_runner import step\n{source}"}, toml=FUNCTION)
    running = await ao.submit("stepped", gate.port)
    await ao.until_line(running, "on")
    disk.fill()
    await submit_until_refused(ao)
    waits = asyncio.Event()
    monkeypatch.setattr(steps.log, "warning", lambda *_, **__: waits.set())
    gate.opened.set()
    async with asyncio.timeout(60):
        await waits.wait()
    disk.free()
    await check(ao, running)


async def test_a_worker_that_cannot_write_its_sign_of_life_goes_on(tmp_path: Path) -> None:
    async with local_platform(tmp_path) as ao:
        file = tmp_path / "absent" / "sign"
        beating = asyncio.create_task(beat_forever(ao.worker, file, 0.01))
        await asyncio.sleep(0.1)
        file.parent.mkdir()
        await until(lambda: thread(file.exists))
        assert not beating.done()
        beating.cancel()
        await asyncio.wait({beating})
