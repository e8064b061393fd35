"""Server programs that a driver starts next to itself and ends by their process id."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

READY_SECONDS = 90.0
STOP_SECONDS = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The program until the block is left; SIGKILL when SIGTERM does not end it in time."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environ or {})},
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def accepts(port: int) -> bool:
    """Whether somebody listens on the loopback port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def until_ready(
    process: "subprocess.Popen[bytes]", log: Path, ready: Callable[[], Awaitable[bool]]
) -> None:
    """Return when `ready()` is true. Raises RuntimeError with the log when it is not in time."""
    deadline = time.monotonic() + READY_SECONDS
    while not await ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(_end_of(log))
        await asyncio.sleep(0.1)


def _end_of(log: Path) -> str:
    return f"a server did not get ready:\n{log.read_text()[-2000:]}"
