"""Whether more children at once would get more done."""

import time
from pathlib import Path

_INTERVAL_SECONDS = 0.1
_BUSY = 0.7
_IDLE = (3, 4)
"""Columns of /proc/stat: idle, and idle but for input and output."""


class Cores:
    """Of this machine, looked at when asked, and not more often than pays."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._idle = self._all = 0
        self._busy = False

    def are_busy(self) -> bool:
        """Whether they have worked nearly all the time since the look before."""
        now = time.monotonic()
        if now - self._looked_at >= _INTERVAL_SECONDS:
            self._looked_at = now
            self._look()
        return self._busy

    def _look(self) -> None:
        try:
            ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return  # a host that does not tell: as if they were not
        idle, everything = sum(ticks[column] for column in _IDLE), sum(ticks)
        passed = everything - self._all
        if passed > 0:
            self._busy = (idle - self._idle) / passed < 1 - _BUSY
        self._idle, self._all = idle, everything
