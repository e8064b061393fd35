"""Limits of a whole tree that the kernel does not hold here, kept by looking often enough."""

import os
import time
from typing import Any

from . import tree

_GROWTH_BYTES_PER_SECOND = 4 << 30
"""Faster than one machine fills fresh pages: the next look comes before the limit can be far behind."""
_DISK_SECONDS = 0.5
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.02, 0.25


class Watch:
    """Samples one tree. `limits`: `memory` in bytes and `processes` (None = the kernel holds that one)."""

    def __init__(self, limits: "dict[str, Any]") -> None:
        self.memory_bytes: int = limits["memory"]
        self.processes: int | None = limits.get("watch_processes")
        self.directories: list[str] = limits.get("watch_directories", [])
        self.disk_bytes: int = limits.get("disk", 0)
        self.max_bytes = 0
        self._disk_at = time.monotonic() + _DISK_SECONDS
        self.next_at = time.monotonic() + _SHORTEST_SECONDS

    def look_soon(self) -> None:
        """Begin: what was before did not count."""
        self.next_at = time.monotonic() + _SHORTEST_SECONDS

    def look(self, pids: "list[int]") -> "tuple[str, str] | None":
        """The cause and the words for a limit that these processes together have passed."""
        used = tree.resident_bytes(pids)
        if used > self.memory_bytes:
            used = tree.proportional_bytes(pids)
        self.max_bytes = max(self.max_bytes, used)
        headroom = max(0, self.memory_bytes - used)
        pause = min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, headroom / _GROWTH_BYTES_PER_SECOND))
        self.next_at = time.monotonic() + pause
        if used > self.memory_bytes:
            where = "1 process" if len(pids) == 1 else f"{len(pids)} processes"
            return "out_of_memory", f"{mib(used)} MiB in {where}, the limit is {mib(self.memory_bytes)} MiB"
        if self.processes is not None:
            count = tree.thread_count(pids)
            if count > self.processes:
                return "processes", f"{count} processes and threads, the limit is {self.processes}"
        if self.directories and time.monotonic() >= self._disk_at:
            self._disk_at = time.monotonic() + _DISK_SECONDS
            stored = sum(_stored_bytes(directory) for directory in self.directories)
            if stored > self.disk_bytes:
                return "disk", f"{mib(stored)} MiB of files, the limit is {mib(self.disk_bytes)} MiB"
        return None


def _stored_bytes(directory: str) -> int:
    """Bytes of all files below. What vanishes meanwhile is left out."""
    total = 0
    queue = [directory]
    while queue:
        try:
            with os.scandir(queue.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        queue.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total


def mib(count: int) -> int:
    return -(-count // (1 << 20))
