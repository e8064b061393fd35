"""Whether more children at once would get more done."""

import time
from pathlib import Path

_INTERVAL_SECONDS = 0.1
_BUSY, _FULL = 0.7, 0.8
_IDLE = (3, 4)
"""Columns of /proc/stat: idle, and idle but for input and output."""


class Cores:
    """Of this machine, looked at when asked, and not more often than pays."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._idle = self._all = 0
        self._used = 0.0

    def are_busy(self) -> bool:
        """Whether they have worked most of the time since the look before."""
        self._look()
        return self._used > _BUSY

    def are_full(self) -> bool:
        """Whether they have worked nearly all of the time: what saves time and costs CPU does not pay."""
        self._look()
        return self._used > _FULL

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < _INTERVAL_SECONDS:
            return
        self._looked_at = now
        try:
            ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return  # a host that does not tell: as if they were not
        idle, everything = sum(ticks[column] for column in _IDLE), sum(ticks)
        passed = everything - self._all
        if passed > 0:
            self._used = 1 - (idle - self._idle) / passed
        self._idle, self._all = idle, everything
