"""Sandboxes as processes of this host; `docs/sandbox.md` explains the levels."""

from ao.sandbox.process.executor import COLD_LEVEL, ProcessExecutor
from ao.sandbox.process.warm import WarmOptions

__all__ = ["COLD_LEVEL", "ProcessExecutor", "WarmOptions"]
