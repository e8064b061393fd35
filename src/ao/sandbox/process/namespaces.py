"""The strongest level: a root, process tree, network and users of its own, made by bubblewrap."""

import base64
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ao.sandbox import Level, SandboxSpec
from ao.sandbox.process import layout
from ao.sandbox.process.plan import Paths, environment, first_words, not_done
from ao.sandbox.process.supervisor.calls import filter_program
from ao.sandbox.process.supervisor.control import Message

_LOADS_CODE = re.compile(r"(LD|MALLOC)_[A-Z0-9_]+|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH")
"""Variables with which an agent would have `setpriv` load its code, while that still runs as root."""
_LATER = "AO_LATER_"
_WAIT = "echo >&3 && exec /bin/cat <&3 >/dev/null"
_OWN_PROCESSES = 3


class Namespaces:
    """Turns specs into start requests. With `setpriv` AO is root and agents drop to a uid of the host."""

    def __init__(self, bubblewrap: Path, *, shared: Path, machine: str, setpriv: Path | None) -> None:
        """`shared` holds what every sandbox sees: `ao_runner`, and `etc` for each uid."""
        self._bubblewrap = bubblewrap
        self._setpriv = setpriv
        self._etc_root = shared / "etc"
        self._runner = shared / "ao_runner"
        self._filter = base64.b64encode(filter_program(machine)).decode()
        self._system = layout.system_arguments()
        self._prefixes = lru_cache(maxsize=256)(layout.python_prefixes)
        self._etc = lru_cache(maxsize=None)(self._etc_arguments)

    @property
    def level(self) -> Level:
        return Level.NAMESPACES

    @property
    def degraded(self) -> Sequence[str]:
        return ()

    def degraded_for(self, spec: SandboxSpec) -> Sequence[str]:
        return not_done(spec)

    def prepare(self, spec: SandboxSpec, uid: int) -> None:
        """Private directories need nothing: they live in memory and end with the namespace."""
        if self._setpriv is not None:
            for directory in spec.writable_dirs:
                os.chown(directory, uid, uid)

    def clean(self, spec: SandboxSpec) -> None:
        """Nothing."""

    def paths(self, spec: SandboxSpec) -> Paths:
        return Paths(work=layout.WORK_DIR, tmp="/tmp")  # noqa: S108 - of the sandbox

    def launch(self, spec: SandboxSpec, uid: int) -> Message:
        arguments = self._arguments(spec, uid)
        variables = environment(spec, self.paths(spec))
        later = [name for name in variables if _LOADS_CODE.fullmatch(name)] if self._setpriv else []
        for name, value in variables.items():
            arguments += ["--setenv", f"{_LATER}{name}" if name in later else name, value]
        return self._bwrap(arguments, [*self._drop(uid), *_restoring(later), *_runner(spec)])

    def slot(self, spec: SandboxSpec, uid: int) -> Message:
        """The sandbox of a cold run, but for its command: that says that it stands, and waits. The template is
        started in it from outside, by what can give its runs fresh directories."""
        paths, limits = self.paths(spec), self.limits(spec)
        # The command, the template and its runs' first process count, too.
        limits["processes"] = spec.limits.processes + _OWN_PROCESSES
        shown = [*self._prefixes(spec.env_dir), spec.env_dir, spec.code_dir, *spec.readable_dirs]
        return {
            "launch": self._bwrap(self._arguments(spec, uid), [*self._drop(uid), "/bin/sh", "-c", _WAIT]),
            "limits": limits,
            "slot": {
                "argv": [*_runner(spec), "template"],
                "env": environment(spec, paths),
                "uid": uid if self._setpriv is not None else None,
                "filter": self._filter,
                "own_network": spec.network.policy != "full",
                "private": layout.private_directories(spec),
                "shown": [str(path) for path in layout.outermost(shown)],
                "task": first_words(spec, paths, egress=False),
            },
        }

    def _bwrap(self, arguments: Sequence[str], command: Sequence[str]) -> Message:
        return {
            "kind": "bwrap",
            "program": str(self._bubblewrap),
            "args": list(arguments),
            "filter": self._filter,
            "command": list(command),
        }

    def _arguments(self, spec: SandboxSpec, uid: int) -> list[str]:
        user = layout.User(uid, host=self._setpriv is not None)
        return layout.namespace_arguments(spec, user) + layout.mount_arguments(
            spec,
            runner=self._runner,
            prefixes=self._prefixes(spec.env_dir),
            system=self._system,
            etc=self._etc(uid, spec.network.policy == "full"),
        )

    def limits(self, spec: SandboxSpec) -> Message:
        return {
            "memory": spec.limits.memory_bytes,
            "processes": spec.limits.processes,
            "files": spec.limits.open_files,
            "file_bytes": max(spec.limits.disk_bytes, spec.limits.tmp_bytes),
        }

    def _drop(self, uid: int) -> list[str]:
        """The system's own tool drops to the agent's uid: the environment's Python is the agent's already."""
        if self._setpriv is None:
            return []
        return [
            str(self._setpriv),
            f"--reuid={uid}",
            f"--regid={uid}",
            "--clear-groups",
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--no-new-privs",
            "--",
        ]

    def _etc_arguments(self, uid: int, network: bool) -> list[str]:
        made = self._etc_root / str(uid)
        layout.write_etc(made, uid)
        return layout.etc_arguments(made, network=network)


def _runner(spec: SandboxSpec) -> list[str]:
    return [str(spec.python), "-S", f"{layout.RUNNER_DIR}/ao_runner/__main__.py"]


def _restoring(names: Sequence[str]) -> list[str]:
    """A shell, as the agent's user, that gives these variables their names back; nothing for none."""
    if not names:
        return []
    steps = [f'export {name}="${_LATER}{name}"; unset {_LATER}{name}' for name in names]
    return ["/bin/sh", "-c", "; ".join([*steps, 'exec "$@"']), "sh"]
