"""What the machine of a worker has, as far as this process may use it."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ao.domain.errors import InvalidConfig
from ao.domain.placement import Amounts
from ao.logs import get_logger

log = get_logger(__name__)

GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_GPU = re.compile(r"nvidia\d+")


def detect() -> Amounts:
    return Amounts(_memory(), round(_cores() * 1000), _gpus())


def gpu_numbers(said: int | None, found: int, visible: str | None) -> Sequence[int]:
    """The GPUs for runs: `said` is AO_WORKER_GPUS, `found` how many there are, and `visible`
    CUDA_VISIBLE_DEVICES of this process, which shares the machine's with others. Raises `InvalidConfig`."""
    if visible is None:
        return range(found if said is None else said)
    words = [word.strip() for word in visible.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        log.warning("no GPUs for runs: they need numbers, such as 2,3", CUDA_VISIBLE_DEVICES=visible)
        words = []
    if said is not None and said > len(words):
        raise InvalidConfig(
            f"AO_WORKER_GPUS is {said}, and CUDA_VISIBLE_DEVICES names {len(words)}",
            hint="it names GPUs of this worker by their numbers, such as 2,3",
        )
    return [int(word) for word in words][:said]


def _memory() -> int:
    """That of the machine, or what a control group that this process is in leaves of it."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    files = ("memory.max", "memory.limit_in_bytes")
    limits = [_text(group / file) for group in _groups("memory") for file in files]
    return min([physical, *(int(limit) for limit in limits if limit.isdigit())])


def _cores() -> float:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = float(usable)
    for group in _groups("cpu"):
        quotas = (
            _text(group / "cpu.max").split(),
            [_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")],
        )
        bounds = [list(map(int, quota)) for quota in quotas if quota and all(map(str.isdigit, quota))]
        cores = min([cores, *(quota / period for quota, period in bounds)])
    return cores


def _gpus() -> int:
    """Device files of NVIDIA's driver."""
    return sum(_GPU.fullmatch(entry.name) is not None for entry in Path("/dev").glob("nvidia*"))


def _groups(controller: str) -> Iterator[Path]:
    """Directories of the control groups that this process is in, of version 2 and of version 1: its own, and
    those around it. In a container its own is the outermost, whatever it is called outside."""
    for line in _text(OWN_GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = GROUPS / controller if controllers else GROUPS
        own = top / path.lstrip("/")
        yield from (group for group in (own, *own.parents) if group.is_relative_to(top))


def _text(file: Path) -> str:
    """Empty where there is none."""
    try:
        return file.read_text().strip()
    except OSError as error:
        log.debug("no limit of a control group", file=str(file), error=str(error))
        return ""
