"""The Python interpreters of this host. Nothing is ever downloaded."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ao.domain.errors import BuildFailed

OLDEST = (3, 9)
"""What `ao_runner` needs."""
_NAME = re.compile(r"^python3(\.\d+)?$")
_PROBE = """
import json, platform, struct, sys, sysconfig
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": platform.python_version(),
    "platform": sysconfig.get_platform(),
    "abi": sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag,
    "base": sys._base_executable if hasattr(sys, "_base_executable") else sys.executable,
    "prefix": sys.base_prefix,
}))
"""


@dataclass(frozen=True, slots=True)
class Python:
    executable: Path
    """Never that of a virtual environment."""
    implementation: str
    version: str
    platform: str
    abi: str
    is_own: bool = False
    """The one that AO runs on."""

    @property
    def minor(self) -> str:
        """Such as `3.12`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def tag(self) -> str:
        """Equal for interpreters that take the same wheels."""
        return f"{self.implementation}-{self.minor}-{self.platform}-{self.abi}"

    @property
    def identity(self) -> str:
        """Equal for interpreters whose environments can stand in for each other."""
        return f"{self.implementation}-{self.version}-{self.platform}-{self.abi}"


class Pythons:
    """What is found is remembered until an executable changes."""

    def __init__(self) -> None:
        self._probed: dict[tuple[str, int, int], Python | None] = {}

    def find(self, wanted: str | None) -> Python:
        """The newest interpreter of a version such as `3.12` or `3.12.1`; None is the one AO runs on.

        Raises `BuildFailed` with those found.
        """
        if wanted is None:
            return self._own()
        own = self._own()
        if _is(own.version, wanted):
            return own
        minor = ".".join(wanted.split(".")[:2])
        found: list[Python] = []
        for names in ({f"python{minor}"}, None):
            found = self._named(names)
            fitting = [python for python in found if _is(python.version, wanted)]
            if fitting:
                return max(fitting, key=lambda python: number(python.version))
        shown = ", ".join(sorted({python.version for python in found}, key=number))
        raise BuildFailed(
            f"Python {wanted} is not on this host; found: {shown}",
            hint="install it on the host, or name one of those in `python`; AO downloads no interpreters",
        )

    def all(self) -> list[Python]:
        """Every CPython or PyPy that AO can use, once per version."""
        return self._named(None)

    def _named(self, names: Collection[str] | None) -> list[Python]:
        found = {self._own().version: self._own()}
        for path in _candidates():
            if names is not None and path.name not in names:
                continue
            python = self._probe(path)
            if python is not None and number(python.version)[:2] >= OLDEST:
                found.setdefault(python.version, python)
        return list(found.values())

    def _own(self) -> Python:
        python = self._probe(Path(sys.executable))
        if python is None:
            raise BuildFailed(f"the Python that AO runs on does not answer: {sys.executable}")
        return replace(python, is_own=True)

    def _probe(self, path: Path) -> Python | None:
        """What an interpreter says of itself; None when it does not start."""
        try:
            status = path.stat()
        except OSError:
            return None
        key = (str(path), status.st_ino, status.st_mtime_ns)
        if key not in self._probed:
            self._probed[key] = _ask(path)
        return self._probed[key]


def _ask(path: Path) -> Python | None:
    try:
        answer = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE], capture_output=True, timeout=20, check=True, cwd="/"
        )
        said = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None  # a broken interpreter, or a shim for one that is not selected
    return Python(_base(said), said["implementation"], said["version"], said["platform"], said["abi"])


def _base(said: dict[str, str]) -> Path:
    """The interpreter behind a virtual environment or a shim."""
    minor = ".".join(said["version"].split(".")[:2])
    named = Path(said["prefix"]) / "bin" / f"python{minor}"
    return named if os.access(named, os.X_OK) else Path(said["base"])


def _candidates() -> Iterator[Path]:
    """Interpreters on the search path, of pyenv and of uv."""
    directories = [Path(name) for name in os.get_exec_path() if not name.endswith("/shims")]
    home = Path.home()
    for managed in (home / ".pyenv/versions", home / ".local/share/uv/python"):
        if managed.is_dir():
            directories += [version / "bin" for version in sorted(managed.iterdir())]
    for directory in directories:
        if directory.is_dir():
            names = sorted(name for name in os.listdir(directory) if _NAME.match(name))
            yield from (directory / name for name in names)


def number(version: str) -> tuple[int, ...]:
    """Such as (3, 12, 1), to compare by."""
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:3])


def _is(version: str, wanted: str) -> bool:
    return version == wanted or version.startswith(wanted + ".")
