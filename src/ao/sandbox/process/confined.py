"""The levels without namespaces: Landlock with a system call filter, and what is left without even that.

Every line of `degraded` says what an agent can do that it could not do in namespaces.
"""

import base64
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from ao.sandbox import Level, SandboxSpec
from ao.sandbox.process import layout
from ao.sandbox.process.plan import Paths, environment, gpu_files, not_done
from ao.sandbox.process.supervisor import landlock
from ao.sandbox.process.supervisor.bpf import ARCHITECTURES
from ao.sandbox.process.supervisor.calls import filter_program
from ao.sandbox.process.supervisor.control import Message

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_ALWAYS = (
    "processes of this host are visible by name and arguments",
    "only TMPDIR and AO_WORK_DIR are private: there is no /tmp and no /dev/shm of the sandbox's own",
    "the size of private directories is checked twice a second instead of held by the kernel",
)
_WITH_LANDLOCK = (
    "names, sizes and owners of the host's files are visible where their directories allow it",
    "Unix sockets are refused, because the host's could be reached",
)
_WITHOUT_LANDLOCK = (
    "no file isolation: what this user may read or write, an agent may too, the data of AO included",
    "other processes of this user can be signalled, traced and read, AO included",
)
_WITHOUT_SCOPES = "other processes of this user can be signalled (Landlock ABI 6 prevents it)"
_SAME_USER = (
    "agents have the same user as AO: modes and times of its files can be changed, not their content",
    "the number of processes is checked several times a second instead of held by the kernel",
)


_WITHOUT_FILTER = "no system call filter: the network of this host is open, whatever the policy"


class Confined:
    """Start requests for `Level.LANDLOCK` and `Level.DEGRADED`."""

    def __init__(self, level: Level, *, shared: Path, machine: str, own_users: bool) -> None:
        """`own_users` = AO is root and may give every sandbox a uid of its own."""
        self._level = level
        self._abi = landlock.abi() if level is Level.LANDLOCK else 0
        self._shared = shared
        self._dirs = shared.parent
        self._own_users = own_users and _open_to_all(shared)
        self._filters = _filters(machine, self._abi)
        self._prefixes = lru_cache(maxsize=256)(layout.python_prefixes)

    @property
    def level(self) -> Level:
        return self._level

    @property
    def degraded(self) -> Sequence[str]:
        lines = [*_ALWAYS, *(_WITH_LANDLOCK if self._abi else _WITHOUT_LANDLOCK)]
        if not self._own_users:
            lines += _SAME_USER
            if 0 < self._abi < landlock.SCOPE_ABI:
                lines.append(_WITHOUT_SCOPES)
        if not self._filters:
            lines.append(_WITHOUT_FILTER)
        return lines

    def degraded_for(self, spec: SandboxSpec) -> Sequence[str]:
        lines = not_done(spec)
        if spec.network.policy == "hosts" and self._filters:
            lines.append("a list of hosts needs a network namespace: this sandbox has no network at all")
        return lines

    def paths(self, spec: SandboxSpec) -> Paths:
        home = self._dirs / spec.id
        return Paths(work=str(home / "work"), tmp=str(home / "tmp"))

    def prepare(self, spec: SandboxSpec, uid: int) -> None:
        (self._dirs / spec.id).mkdir(mode=0o755)
        for directory in self._private(spec):
            os.mkdir(directory, 0o700)
        if self._drops(spec):
            for owned in [*map(Path, self._private(spec)), *spec.writable_dirs]:
                os.chown(owned, uid, uid)

    def clean(self, spec: SandboxSpec) -> None:
        remove_tree(self._dirs / spec.id)

    def launch(self, spec: SandboxSpec, uid: int) -> Message:
        internet = spec.network.policy == "full"
        program = self._filters.get(internet)
        return {
            "kind": "confine",
            "argv": [str(spec.python), "-S", str(self._shared / "ao_runner" / "__main__.py")],
            "env": environment(spec, self.paths(spec)),
            "cwd": str(spec.code_dir),
            "uid": uid if self._drops(spec) else None,
            "filter": base64.b64encode(program).decode() if program else "",
            "landlock": self._abi > 0,
            "inet": internet,
            "read": self._readable(spec, internet),
            "write": [*self._private(spec), *map(str, spec.writable_dirs)],
            "devices": [*(f"/dev/{name}" for name in _DEVICES), *gpu_files(spec.gpus)],
        }

    def limits(self, spec: SandboxSpec) -> Message:
        limits = spec.limits
        per_user = self._drops(spec)
        return {
            "memory": limits.memory_bytes,
            "processes": limits.processes if per_user else None,
            "watch_processes": None if per_user else limits.processes,
            "files": limits.open_files,
            "file_bytes": max(limits.disk_bytes, limits.tmp_bytes),
            "watch_directories": self._private(spec),
            "disk": limits.disk_bytes + limits.tmp_bytes,
        }

    def slot(self, spec: SandboxSpec, uid: int) -> None:
        """Private directories of a path of their own would differ from run to run: every run starts cold."""

    def _private(self, spec: SandboxSpec) -> list[str]:
        paths = self.paths(spec)
        return [paths.work, paths.tmp]

    def _readable(self, spec: SandboxSpec, internet: bool) -> list[str]:
        etc = (
            *layout.ETC_FILES,
            *layout.ETC_DIRS,
            "passwd",
            "group",
            *(layout.ETC_WITH_NETWORK if internet else ()),
        )
        system = ["/usr", *(f"/{name}" for name in layout.SYSTEM_DIRS), "/proc", "/sys/devices/system/cpu"]
        own = [*self._prefixes(spec.env_dir), spec.env_dir, spec.code_dir, self._shared, *spec.readable_dirs]
        return [*system, *(f"/etc/{name}" for name in etc), *map(str, own)]

    def _drops(self, spec: SandboxSpec) -> bool:
        """Whether this sandbox gets a uid of its own: all that it needs must be open to every user."""
        if not self._own_users:
            return False
        return all(map(_open_to_all, [*self._prefixes(spec.env_dir), spec.env_dir, spec.code_dir]))


def remove_tree(path: Path) -> None:
    """Remove a directory whose owner may have closed parts of it."""

    def open_and_retry(function: Callable[[str], object], name: str, _error: BaseException) -> None:
        os.chmod(os.path.dirname(name), 0o700)
        if os.path.isdir(name) and not os.path.islink(name):
            os.chmod(name, 0o700)
            shutil.rmtree(name)
        else:
            function(name)

    shutil.rmtree(path, onerror=lambda function, name, error: open_and_retry(function, name, error[1]))


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))


def _filters(machine: str, abi: int) -> dict[bool, bytes]:
    """The filters without and with internet sockets; none where the kernel or we have no such thing."""
    status = Path("/proc/self/status").read_text()
    if machine not in ARCHITECTURES or "\nSeccomp:" not in status:
        return {}
    return {
        internet: filter_program(
            machine, internet=internet, unix=abi == 0, truncate=abi == 0 or abi >= landlock.TRUNCATE_ABI
        )
        for internet in (False, True)
    }
