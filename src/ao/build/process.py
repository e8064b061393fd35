"""Programs that a build starts: output line by line into the log, the whole group gone at the end."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ao.domain.errors import BuildFailed

_LINE_BYTES = 1 << 20
_KEPT_LINES = 400


@dataclass(frozen=True, slots=True)
class Ended:
    exit_code: int
    lines: Sequence[str]
    """The last lines of stdout and stderr together."""


async def run(
    argv: Sequence[str | Path],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    log: Callable[[str], None],
    timeout_seconds: float,
) -> Ended:
    """Run a program to its end. Raises `BuildFailed` when it does not start or takes too long."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            cwd=cwd,
            start_new_session=True,
            limit=_LINE_BYTES,
        )
    )
    try:
        process = await asyncio.shield(starting)
    except OSError as error:
        raise BuildFailed(f"{argv[0]} does not start: {error.strerror}") from error
    except asyncio.CancelledError:  # passed on to a process that is half there, asyncio would wait for ever
        await _end(await starting)
        raise
    try:
        async with asyncio.timeout(timeout_seconds):
            lines = await _read(process, log)
            return Ended(await process.wait(), lines)
    except TimeoutError as error:
        name = Path(argv[0]).name
        raise BuildFailed(f"{name} was stopped after {timeout_seconds:.0f} s", hint="deploy again") from error
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await asyncio.shield(process.wait())


async def _read(process: asyncio.subprocess.Process, log: Callable[[str], None]) -> list[str]:
    kept: list[str] = []
    stream = process.stdout
    assert stream is not None
    while True:
        try:
            raw = await stream.readline()
        except ValueError:  # a line above the limit; what is buffered of it is dropped
            continue
        if not raw:
            return kept
        line = raw.decode("utf-8", "replace").rstrip()
        if line:
            log(line)
            kept.append(line)
            del kept[:-_KEPT_LINES]
