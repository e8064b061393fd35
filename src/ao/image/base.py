"""What the base image is, as its own Python tells it."""

import json
from dataclasses import dataclass
from pathlib import Path

from ao.build import Log
from ao.build.pythons import Python, number
from ao.domain.errors import BuildFailed
from ao.image.docker import Docker

OLDEST = (3, 11)
_OLDEST_GLIBC = 17
"""2.17: older ones have no wheels."""
_PROBE = """
import json, platform, sys, sysconfig
try:
    import ctypes
    ctypes.CDLL("libstdc++.so.6")
    has_cpp = True
except (ImportError, OSError):
    has_cpp = False
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": platform.python_version(),
    "platform": sysconfig.get_platform(),
    "abi": sysconfig.get_config_var("SOABI") or "",
    "machine": platform.machine(),
    "libc": platform.libc_ver(),
    "executable": sys.executable,
    "has_cpp": has_cpp,
}))
"""


@dataclass(frozen=True, slots=True)
class Base:
    name: str
    id: str
    """`sha256:…`: other content, other id."""
    python: Python
    machine: str
    glibc: int
    """The minor number of 2.x."""

    @property
    def platforms(self) -> list[str]:
        """The tags of wheels that work there, best first."""
        newer = [f"manylinux_2_{minor}_{self.machine}" for minor in range(self.glibc, _OLDEST_GLIBC - 1, -1)]
        older = ["manylinux2014"] + (["manylinux2010", "manylinux1"] if self.machine == "x86_64" else [])
        return [*newer, *(f"{name}_{self.machine}" for name in older), f"linux_{self.machine}"]


async def find(name: str, docker: Docker, log: Log) -> Base:
    """The base, pulled if it is not here. Raises `BuildFailed` when AO cannot run on it."""
    found = await docker.image_id(name)
    if found is None:
        log(f"pulling {name}")
        await docker.pull(name, log)
        found = await docker.image_id(name)
    assert found is not None
    try:
        said = json.loads(await docker.python_says(name, _PROBE))
    except ValueError as error:
        raise BuildFailed(f"the Python of {name} does not answer: {error}") from error
    executable = Path(said["executable"])
    python = Python(executable, said["implementation"], said["version"], said["platform"], said["abi"])
    libc, libc_version = said["libc"]
    if number(python.version)[:2] < OLDEST or python.implementation != "cpython":
        raise BuildFailed(
            f"{name} has {python.implementation} {python.version}; AO needs CPython 3.11 or newer",
            hint="--base names another image",
        )
    if libc != "glibc" or number(libc_version)[0] != 2:
        raise BuildFailed(
            f"{name} has {libc or 'another C library than glibc'}; AO's wheels need glibc",
            hint="use an image made of Debian, Ubuntu or RHEL, not of Alpine",
        )
    if not said["has_cpp"]:
        raise BuildFailed(
            f"{name} has no libstdc++.so.6, which packages of AO need",
            hint="install it there, such as `apt-get install libstdc++6`, or name another image with --base",
        )
    return Base(name, found, python, said["machine"], number(libc_version)[1])
