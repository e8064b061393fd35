"""Whether every run had namespaces of its own. Inode numbers are used again, so only runs that lived at the
same time are compared."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OWN = ("ipc", "mnt", "net", "pid", "uts")
"""Kinds that every run must have for itself. A user namespace comes on top where AO is not root; as root
each concurrent run has a user id of its own instead."""


class Shared(Exception):
    """Two living runs, or a run and the host, were in one namespace."""


@dataclass(frozen=True)
class Stay:
    """A run's time in its namespaces; times are seconds of any clock."""

    run_id: str
    start: float
    end: float
    namespaces: Mapping[str, int]


def of_this_process() -> dict[str, int]:
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    return {kind: int(os.readlink(f"/proc/self/ns/{kind}").split("[")[1][:-1]) for kind in kinds}


def check(stays: Sequence[Stay], host: Mapping[str, int], required: Sequence[str] = OWN) -> dict[str, Any]:
    """What was compared. Raises Shared at the first fault in a kind that is required."""
    living: list[Stay] = []
    pairs = most = 0
    for stay in sorted(stays, key=lambda each: each.start):
        living = [other for other in living if other.end > stay.start]
        _differ(stay, Stay("the host", 0, 0, host), required)
        for other in living:
            _differ(stay, other, required)
        pairs += len(living)
        living.append(stay)
        most = max(most, len(living))
    kinds = {kind for stay in stays for kind, inode in stay.namespaces.items() if inode != host.get(kind)}
    return {
        "runs": len(stays),
        "pairs_alive_together": pairs,
        "most_at_once": most,
        "required_kinds": list(required),
        "own_kinds": sorted(kinds),
        "shared_with_host": sorted(set(host) - kinds),
    }


def _differ(stay: Stay, other: Stay, required: Sequence[str]) -> None:
    for kind in required:
        if kind not in stay.namespaces:
            raise Shared(f"run {stay.run_id} does not say its {kind} namespace")
        if stay.namespaces[kind] == other.namespaces.get(kind):
            raise Shared(f"run {stay.run_id} shared its {kind} namespace with {other.run_id}")
