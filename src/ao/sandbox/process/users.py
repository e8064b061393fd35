"""Who agents run as.

When AO runs as root, every sandbox gets an unprivileged uid of its own, so that an escape lands as nobody
and per-user limits are per-sandbox limits. Otherwise sandboxes share the uid of AO, each in a user namespace.
"""

import os
import secrets
from pathlib import Path

_FIRST_UID, _BLOCKS, _BLOCK_SIZE = 2_000_000_000, 30_000, 4_096
"""Far above what distributions, directories and container tools hand out. A block per executor."""
_INSIDE_UID = 1000
_CAPABILITIES = {
    "CHOWN": 0,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "SETPCAP": 8,
    "NET_ADMIN": 12,
    "SYS_ADMIN": 21,
}


class Users:
    """Gives out uids. `host` says whether they are uids of the host that must be dropped to."""

    def __init__(self, first: int | None, count: int = 0) -> None:
        self._first = first or _INSIDE_UID
        self._count = count
        self._taken: set[int] = set()
        self.host = first is not None

    @classmethod
    def of_this_process(cls) -> "Users":
        if os.geteuid() != 0 or not has_capabilities(_CAPABILITIES):
            return cls(None)
        block = _FIRST_UID + secrets.randbelow(_BLOCKS) * _BLOCK_SIZE
        for inside, _outside, length in _id_map(Path("/proc/self/uid_map")):
            if inside <= block and block + _BLOCK_SIZE <= inside + length:
                return cls(block, _BLOCK_SIZE)
            if inside + length > 60_000 and inside < 50_000:
                # A container with 65,536 ids: its upper end is nobody's.
                return cls(50_000, min(_BLOCK_SIZE, inside + length - 50_000))
        return cls(None)

    def take(self) -> int:
        if not self.host:
            return self._first
        for uid in range(self._first, self._first + self._count):
            if uid not in self._taken:
                self._taken.add(uid)
                return uid
        raise ValueError(f"all {self._count} uids for sandboxes are taken")

    def give_back(self, uid: int) -> None:
        self._taken.discard(uid)


def has_capabilities(names: "dict[str, int] | list[str]") -> bool:
    """Whether this process holds all of these capabilities now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "CapEff":
            bits = int(value, 16)
            return all(bits >> _CAPABILITIES[name] & 1 for name in names)
    return False


def _id_map(path: Path) -> list[tuple[int, int, int]]:
    rows: list[tuple[int, int, int]] = []
    for line in path.read_text().splitlines():
        inside, outside, length = (int(field) for field in line.split())
        rows.append((inside, outside, length))
    return rows
