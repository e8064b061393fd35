"""What an import leaves in a process so that its forks are not like fresh ones, or share what they must not."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` makes an enum of each answer
import atexit
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PER_RUN = frozenset(
    {
        "AGENT_INPUT",
        "AGENT_INPUT_FILE",
        "AO_ATTEMPT",
        "AO_LAST_ERROR",
        "AO_RUN_ID",
        "AO_SCHEDULED_AT",
        "AO_SESSION",
        "AO_WORKSPACE",
    }
)
_IDLE_AT_EXIT = frozenset({"certifi.core", "logging"})
"""Modules whose function at the end does something only when more was set up."""
_KNOWN_FDS = 4
_HARMLESS_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class Unfit(Exception):
    """This agent must be started cold. `lasting`: it always will be."""

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


class Watched:
    """While it watches: reads of variables that each run has its own value of, threads that are asked for
    (a template cannot have any), and who wants to be called at the end."""

    def __init__(self) -> None:
        self.reason = ""
        self._plain: Any = type(os.environ)
        self._environs: list[Any] = [os.environ, getattr(os, "environb", os.environ)]
        for environ in self._environs:
            environ.__class__ = self._recording()
        self._threads = _thread_starters()
        for module, name, start in self._threads:
            setattr(module, name, self._refusing(start))
        self._exits = _ExitFunctions()

    def stop(self) -> None:
        for environ in self._environs:
            environ.__class__ = self._plain
        for module, name, start in self._threads:
            setattr(module, name, start)
        self._exits.stop()

    @property
    def idle_exit_functions(self) -> int:
        """How many functions are registered for the end, if none of them has anything to do there; or 0."""
        return self._exits.idle()

    def _recording(self) -> Any:
        watched = self

        class Recording(self._plain):  # type: ignore[misc,name-defined]
            def __getitem__(self, key: Any) -> Any:
                watched._read(key)
                return super().__getitem__(key)

        return Recording

    def _read(self, key: Any) -> None:
        name = os.fsdecode(key) if isinstance(key, (str, bytes)) else ""
        if name in PER_RUN:
            self.reason = self.reason or "%s is read at import, and each run has its own" % name

    def _refusing(self, start: Any) -> Any:
        def refuse(*arguments: Any, **named: Any) -> Any:
            self.reason = self.reason or "the import starts threads"
            return start(*arguments, **named)

        return refuse


class _ExitFunctions:
    def __init__(self) -> None:
        self._register: Any = atexit.register
        self._wanted = [""] * atexit._ncallbacks()
        """By which modules."""
        atexit.register = self._recorded

    def stop(self) -> None:
        atexit.register = self._register

    def idle(self) -> int:
        known = len(self._wanted) == atexit._ncallbacks() and set(self._wanted) <= _IDLE_AT_EXIT
        return len(self._wanted) if known else 0

    def _recorded(self, function: Any, /, *arguments: Any, **named: Any) -> Any:
        self._wanted.append(sys._getframe(1).f_globals.get("__name__", ""))
        return self._register(function, *arguments, **named)


def _thread_starters() -> list[Any]:
    import _thread  # noqa: PLC0415 - always there

    modules = [_thread, *(sys.modules[name] for name in ("threading",) if name in sys.modules)]
    names = ("start_new_thread", "start_joinable_thread", "_start_new_thread", "_start_joinable_thread")
    return [
        (module, name, getattr(module, name)) for module in modules for name in names if hasattr(module, name)
    ]


def look() -> None:
    """Raises `Unfit` when this process holds what forks would share."""
    for found in (_threads(), _timers(), _open_files(), _shared_memory(), _files()):
        if found:
            raise Unfit(found)


def _threads() -> str:
    return "the import leaves threads running" if len(os.listdir("/proc/self/task")) > 1 else ""


def _timers() -> str:
    """No fork has those of its parent."""
    kinds = (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF)
    return "the import leaves a timer running" if any(_signal.getitimer(kind)[0] for kind in kinds) else ""


def _open_files() -> str:
    for name in os.listdir("/proc/self/fd"):
        if int(name) < _KNOWN_FDS:
            continue
        try:
            mode, target = os.fstat(int(name)).st_mode, os.readlink("/proc/self/fd/" + name)
        except OSError:
            # The directory that was listed.
            continue
        if stat.S_ISSOCK(mode):
            return "the import leaves a socket open"
        if target not in _HARMLESS_DEVICES:
            return "the import leaves %s open" % target
    return ""


def _shared_memory() -> str:
    with open("/proc/self/maps") as file:
        for line in file:
            fields = line.split(None, 5)
            if fields[1][1] == "w" and fields[1][3] == "s":
                return "the import shares writable memory with other processes"
    return ""


def _files() -> str:
    for directory in (os.environ["HOME"], os.environ["TMPDIR"], "/dev/shm"):
        for entry in os.scandir(directory):
            if not _is_ours(entry.path):
                return "the import writes files: %s" % entry.path
    return ""


def _is_ours(path: str) -> bool:
    """Whether it is a directory on the way to what the sandbox shows of the host."""
    return os.path.ismount(path) or (os.path.isdir(path) and _only_mounts(path))


def _only_mounts(path: str) -> bool:
    entries = [entry.path for entry in os.scandir(path)]
    return bool(entries) and all(_is_ours(entry) for entry in entries)
