"""What a run has left in its slot, seen from outside through descriptors that were opened when it was empty.

To look so takes no path to be walked and nobody to be woken: between two runs that left nothing, which is most
of them, the slot's keeper sleeps.
"""

import os
import re

_MOST_BYTES = 1 << 14
_SYSV = ("shm", "msg", "sem")
_SOCKETS = re.compile(
    rb"^(?:TCP|UDP|UDPLITE|RAW|TCP6|UDP6|UDPLITE6|RAW6): inuse (?:[1-9]|0 .*\btw [1-9])", re.M
)
_ANY = re.compile(rb"^sockets: used [1-9]", re.M)
_FLAGS = os.O_RDONLY | os.O_CLOEXEC


def open_inside(rooms: "list[str]") -> "list[int]":
    """What only who is in the slot's namespaces can open, for `Sight`."""
    fds = [os.open(f"/proc/sysvipc/{name}", _FLAGS) for name in _SYSV]
    return fds + [os.open(room, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for room in rooms]


def room_state(fd: int) -> "tuple[int, ...]":
    """Differs when anything in a private directory has changed."""
    used, entry = os.fstatvfs(fd), os.fstat(fd)
    return (used.f_bfree, used.f_ffree, entry.st_dev, entry.st_mode, entry.st_ctime_ns)


class Sight:
    """Owns its descriptors. The rooms are empty when it is made."""

    def __init__(self, opened_inside: "list[int]", template_pid: int) -> None:
        self._objects = opened_inside[: len(_SYSV)]
        self._rooms = [(fd, room_state(fd)) for fd in opened_inside[len(_SYSV) :]]
        self._counts = _open_tables(template_pid, "sockstat", "sockstat6")
        self._unix = _open_tables(template_pid, "unix")

    def is_untouched(self) -> bool:
        """Whether the rooms are as they were, and there are no System V objects, which outlive their makers."""
        if any(room_state(fd) != empty for fd, empty in self._rooms):
            return False
        return all(os.pread(fd, _MOST_BYTES, 0).count(b"\n") == 1 for fd in self._objects)

    def has_connections(self) -> bool:
        """Whether there are sockets of the internet, closing ones too. The tables of connections would tell
        more, but to read them takes milliseconds. Or Unix sockets: inside each other they outlive processes."""
        counts = b"".join(os.pread(fd, _MOST_BYTES, 0) for fd in self._counts)
        if _SOCKETS.search(counts) is not None or not counts:
            return True
        if _ANY.search(counts) is None:
            return False
        return any(os.pread(fd, _MOST_BYTES, 0).count(b"\n") > 1 for fd in self._unix)

    def close(self) -> None:
        for fd in (*self._objects, *(fd for fd, _ in self._rooms), *self._counts, *self._unix):
            os.close(fd)


def _open_tables(pid: int, *names: str) -> "list[int]":
    """Of the network namespace of a process; without IPv6 its table is not there."""
    fds = []
    for name in names:
        try:
            fds.append(os.open(f"/proc/{pid}/net/{name}", _FLAGS))
        except FileNotFoundError:
            continue
    return fds
