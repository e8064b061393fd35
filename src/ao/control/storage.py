"""What AO takes of its disks, and whether that goes well."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ao.blobs import BlobStore
from ao.ids import RunId, first_id_at
from ao.store import Store
from ao.store.retention import Kept
from ao.store.sizes import Sizes

DAY_US = 86_400_000_000
LATE_US = 2 * DAY_US
"""What is older than what is kept goes within hours."""
HISTORY = frozenset({"run_event", "run_step"})
MUCH_BYTES = 1 << 30
"""Of history that is kept for ever."""


@dataclass(frozen=True, slots=True)
class Footprint:
    sizes: Sizes
    blobs: int
    blob_bytes: int
    free_bytes: int
    """Where the home is."""
    kept: Kept

    @property
    def history_bytes(self) -> int:
        """Of what goes by age."""
        return sum(table.bytes or 0 for table in self.sizes.tables if table.name in HISTORY)


class Storage:
    def __init__(self, store: Store, blobs: BlobStore, home: Path, kept: Kept) -> None:
        self._store = store
        self._blobs = blobs
        self._home = home
        self._kept = kept

    async def look(self) -> Footprint:
        after = None
        if self._kept.history_us is not None:
            now_us = await self._store.schedules.now_us()
            after = RunId(first_id_at(now_us - self._kept.history_us - LATE_US))
        blobs = await self._blobs.all()
        return Footprint(
            sizes=await self._store.sizes.measure(after),
            blobs=len(blobs),
            blob_bytes=sum(blobs.values()),
            free_bytes=shutil.disk_usage(self._home).free,
            kept=self._kept,
        )


def warning_of(footprint: Footprint, *, own_disk: bool) -> tuple[str, str]:
    """(What should be looked at, and what to do); two empty texts when nothing should. `own_disk`: the database
    is on the disk of the home."""
    history = footprint.history_bytes
    less = "AO_KEEP_HISTORY_DAYS says for how long history is kept; `ao gc` removes blobs without use"
    if own_disk and history > footprint.free_bytes:
        return "the history of runs is larger than what is free on the disk", less
    if footprint.kept.history_us is None and history > MUCH_BYTES:
        return "the history of runs is large and kept for ever", less
    return "", ""
