"""When a worker takes runs again whose disk was full."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.small_disk import SmallDisk, small_disk

from ao.domain.errors import StorageFull
from ao.worker import room
from ao.worker.room import Room


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "4m") as disk:
        yield disk


@pytest.mark.parametrize("is_freed", [True, False])
async def test_it_is_tried_again_when_there_is_more_or_after_a_while(
    disk: SmallDisk, is_freed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(room, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(room, "AGAIN_SECONDS", 60.0 if is_freed else 0.05)
    worker = Room(disk.path)
    await worker.wait()
    disk.fill()
    worker.lacking(StorageFull())
    assert worker.hold == "its disk is full (0 MiB free)"
    if is_freed:
        disk.free()
    await worker.wait()
    assert worker.hold == ""


def test_where_else_there_is_no_room_is_told(disk: SmallDisk) -> None:
    worker = Room(disk.path)
    worker.lacking(StorageFull("the Docker Engine cannot build: no space left on device"))
    assert worker.hold.endswith("free): the Docker Engine cannot build: no space left on device")
