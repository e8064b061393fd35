"""What the machine of a worker has, as far as this process may use it."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ao.domain.errors import InvalidConfig
from ao.domain.placement import Amounts
from ao.logs import get_logger

log = get_logger(__name__)

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
    """That of the machine, or of the control group that this process is in."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _control("memory.max")
    return min(physical, int(limit)) if limit.isdigit() else physical


def _cores() -> float:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _control("cpu.max").partition(" ")
    return (
        min(float(usable), int(quota) / int(period)) if quota.isdigit() and period.isdigit() else float(usable)
    )


def _gpus() -> int:
    """Device files of NVIDIA's driver."""
    return sum(_GPU.fullmatch(entry.name) is not None for entry in Path("/dev").glob("nvidia*"))


def _control(name: str) -> str:
    """A file of this process's control group (version 2); empty where there is none."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        group = next((line[3:] for line in lines if line.startswith("0::")), "/")
        return Path("/sys/fs/cgroup", group.lstrip("/"), name).read_text().strip()
    except OSError as error:
        log.debug("no limit of a control group", file=name, error=str(error))
        return ""
