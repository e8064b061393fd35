"""Sandboxes as processes of this host; `docs/sandbox.md` explains the levels."""

from ao.sandbox.process.executor import ProcessExecutor
from ao.sandbox.process.warm import WarmOptions

__all__ = ["ProcessExecutor", "WarmOptions"]
