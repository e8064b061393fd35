"""Process trees as `/proc` shows them."""

import os

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def members(root: int) -> list[int]:
    """`root` and all its living descendants. A process may end while this looks: it is then left out."""
    found: list[int] = []
    queue = [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children(pid)
    return found


def children(pid: int) -> list[int]:
    result: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return result
    for thread in threads:
        result += [int(child) for child in _read(f"/proc/{pid}/task/{thread}/children").split()]
    return result


def thread_count(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            total += os.stat(f"/proc/{pid}/task").st_nlink - 2
        except OSError:
            continue
    return total


def resident_bytes(pids: list[int]) -> int:
    """Resident memory, summed: pages that several processes share count once for each."""
    total = 0
    for pid in pids:
        fields = _read(f"/proc/{pid}/statm").split()
        if len(fields) > 1:
            total += int(fields[1])
    return total * _PAGE_BYTES


def proportional_bytes(pids: list[int]) -> int:
    """Resident memory with shared pages divided among those who share them. Slow (about 1 ms per GiB)."""
    total = 0
    for pid in pids:
        text = _read(f"/proc/{pid}/smaps_rollup")
        position = text.find(b"\nPss:")
        if position < 0:
            total += resident_bytes([pid])
        else:
            total += int(text[position + 5 :].split(None, 1)[0]) * 1024
    return total


def namespaces(pid: int) -> dict[str, int]:
    """Inode numbers of the namespaces of `pid` by type. Not of its user namespace: bubblewrap makes a second
    one later."""
    numbers: dict[str, int] = {}
    for name in ("cgroup", "ipc", "mnt", "net", "pid", "uts"):
        try:
            link = os.readlink(f"/proc/{pid}/ns/{name}")
        except OSError:
            continue
        numbers[name] = int(link[link.index("[") + 1 : -1])
    return numbers


def _read(path: str) -> bytes:
    """A small file of `/proc`; empty when its process is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 1 << 16)
    except OSError:
        return b""
    finally:
        os.close(fd)
