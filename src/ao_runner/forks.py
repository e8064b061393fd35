"""Forks of a template that cost less than `os.fork`.

That has every child renew locks of `threading`, `logging` and others, which copies a hundred pages of memory. A
template has one thread, which is not inside any of them: nothing needs to be renewed.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Handler = Callable[[], object]

_LARGE_PAGE = 2 << 20
_MADV_COLLAPSE = 25
_NEWEST = (3, 14)
"""Of later versions it is not known what a child has to renew."""
_NEEDLESS = frozenset({"threading", "logging", "random", "concurrent.futures.thread"})
"""Modules whose handlers renew what a process with one thread need not; `random` is seeded by the template."""


class Forks:
    """To be made before the import: it watches who asks to be called at forks."""

    def __init__(self) -> None:
        self._call = _libc_fork()
        self._before: list[Handler] = []
        self._in_parent: list[Handler] = []
        self._in_child: list[Handler] = []
        self._register = os.register_at_fork
        if self._call is not None:
            os.register_at_fork = self._recorded

    def stop_watching(self) -> None:
        os.register_at_fork = self._register

    def fork(self) -> int:
        """Like `os.fork`; the handlers of libraries are called."""
        if self._call is None:
            return os.fork()
        _call_all(self._before)
        pid = self._call()
        if pid < 0:
            raise OSError("fork failed")
        _call_all(self._in_parent if pid else self._in_child)
        return pid

    def _recorded(
        self,
        *,
        before: Handler | None = None,
        after_in_parent: Handler | None = None,
        after_in_child: Handler | None = None,
    ) -> None:
        given = {"before": before, "after_in_parent": after_in_parent, "after_in_child": after_in_child}
        self._register(**{name: handler for name, handler in given.items() if handler is not None})
        if sys._getframe(1).f_globals.get("__name__") in _NEEDLESS:
            return
        if before is not None:
            self._before.insert(0, before)
        if after_in_parent is not None:
            self._in_parent.append(after_in_parent)
        if after_in_child is not None:
            self._in_child.append(after_in_child)


def _call_all(handlers: list[Handler]) -> None:
    """One that fails is told and passed over, as `os.fork` does."""
    for handler in handlers:
        try:
            handler()
        except Exception:
            sys.excepthook(*sys.exc_info())


def _libc_fork() -> Callable[[], int] | None:
    """The C library's function, called with the interpreter's lock held; None where `os.fork` has to do."""
    if sys.implementation.name != "cpython" or sys.version_info >= _NEWEST or _is_free_threaded():
        return None
    try:
        import ctypes  # noqa: PLC0415 - an interpreter may have been built without it
    except ImportError:
        return None
    call: Any = ctypes.PyDLL(None).fork
    call.argtypes, call.restype = [], ctypes.c_int
    return call  # type: ignore[no-any-return]


def gather_memory() -> None:
    """Have the kernel put this process's memory into large pages where it can: a fork copies fewer entries,
    and its end frees fewer."""
    try:
        import ctypes  # noqa: PLC0415
    except ImportError:
        return
    advise: Any = ctypes.CDLL(None).madvise
    for start, end in _private_memory():
        first, last = -(-start // _LARGE_PAGE), end // _LARGE_PAGE
        if last > first:
            # Refused by kernels before 6.1, and for what is shared or too sparse: it stays as it is.
            size = (last - first) * _LARGE_PAGE
            advise(ctypes.c_void_p(first * _LARGE_PAGE), ctypes.c_size_t(size), _MADV_COLLAPSE)


def _private_memory() -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    with open("/proc/self/maps") as file:
        for line in file:
            fields = line.split(None, 5)
            if fields[1] == "rw-p" and (len(fields) < 6 or fields[5].strip() == "[heap]"):
                start, _, end = fields[0].partition("-")
                found.append((int(start, 16), int(end, 16)))
    return found


def _is_free_threaded() -> bool:
    enabled: Any = getattr(sys, "_is_gil_enabled", None)
    return enabled is not None and not enabled()
