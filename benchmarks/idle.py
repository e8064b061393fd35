"""What `ao up` takes while nobody asks anything of it, and no agent is there to be kept ready."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import ao_up

SETTLE_SECONDS = 5.0


async def idle(seconds: float, settings: Mapping[str, str]) -> dict[str, Any]:
    """Memory of all its processes, and the share of one core, start not included."""
    with tempfile.TemporaryDirectory(prefix="ao-idle-") as name, ao_up.ao_up(Path(name), settings) as server:
        await asyncio.sleep(min(SETTLE_SECONDS, seconds))
        before = ao_up.cpu_seconds(server.pid)
        await asyncio.sleep(seconds)
        share = (ao_up.cpu_seconds(server.pid) - before) / seconds
        return {"seconds": seconds, "share_of_a_core": share, "memory_bytes": ao_up.memory_bytes(server.pid)}
