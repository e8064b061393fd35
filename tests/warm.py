"""Executors whose runs start warm."""

from pathlib import Path

from tests.databases import missing

from ao.domain.errors import SandboxError
from ao.sandbox import Level
from ao.sandbox.process import ProcessExecutor, WarmOptions


async def open_warm(root: Path, options: WarmOptions) -> ProcessExecutor:
    try:
        return await ProcessExecutor.open(root / "sandboxes", level=Level.NAMESPACES, warm=options)
    except SandboxError as error:
        missing(error.message)
