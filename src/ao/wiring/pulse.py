"""The sign of life of a worker: until when its lease holds, in a file of its home, for `ao health`."""

import asyncio
import json
import os
from pathlib import Path

from ao.logs import get_logger
from ao.worker.loop import Worker

log = get_logger(__name__)


async def beat_forever(worker: Worker, file: Path, pause_seconds: float) -> None:
    """Keep the file true; it is gone when this ends. A worker that hangs does not renew it; one whose disk is
    full goes on, and says so."""
    try:
        while True:
            try:
                await asyncio.to_thread(_write, file, worker.lease_ends)
            except OSError as error:
                log.warning("no sign of life can be written", file=str(file), error=str(error))
            await asyncio.sleep(pause_seconds)
    finally:
        file.unlink(missing_ok=True)  # noqa: ASYNC240 - the process ends


def _write(file: Path, lease_ends: float) -> None:
    """In one step; nothing is lost when the machine loses it."""
    new = file.with_name(f".{file.name}")
    new.write_text(json.dumps({"pid": os.getpid(), "lease_ends": lease_ends}))
    new.replace(file)
