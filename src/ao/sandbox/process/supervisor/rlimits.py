"""Resource limits that a process hands on to all it starts."""

import resource
from typing import Any


def apply(pid: int, limits: "dict[str, Any]") -> None:
    """Limit process `pid` (0 = this one). The number of processes counts per user namespace and user, so it
    must be set from inside, or on a process that is inside already. What exceeds what this host allows
    becomes what it allows."""
    values = {
        resource.RLIMIT_NPROC: limits.get("processes"),
        resource.RLIMIT_NOFILE: limits["files"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in values.items():
        if value is None:
            continue
        try:
            resource.prlimit(pid, kind, (value, value))
        except (PermissionError, ValueError):
            hard = resource.prlimit(pid, kind)[1]
            resource.prlimit(pid, kind, (hard, hard))
