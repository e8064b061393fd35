"""Runs that start as forks of a process that has imported their agent; `docs/sandbox.md` says what is safe.

A slot is a sandbox with one template in it and one run at a time. `fit` says which runs may share a template,
`group` holds the slots of one kind, `pool` all of them, within a budget of memory.
"""

from ao.sandbox.process.warm.pool import WarmOptions, WarmPool

__all__ = ["WarmOptions", "WarmPool"]
