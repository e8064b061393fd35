"""Wheels for the Python of an image: of AO's own lock, and of an agent's requirements.

pip runs on this host, as it is configured here, and can start no program (`ao.build.wheels_only`).
"""

import asyncio
import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ao.build import Log, locks, process, wheels_only
from ao.domain.errors import BuildFailed
from ao.image.base import Base

LOCK = Path(__file__).with_name("requirements.lock")
_MARKER = re.compile(r" ; [^\\\n]*")
_SECONDS = 1800.0


async def download_own(base: Base, into: Path, environ: Mapping[str, str], log: Log) -> None:
    """What AO's own lock pins. Raises `BuildFailed` with what to do about it."""
    # Whatever its markers say: pip would read them for this host's Python. In the image uv reads them.
    everything = into.with_name("everything.txt")
    everything.write_text(_MARKER.sub("", LOCK.read_text("utf-8")), "utf-8")
    await download(everything, base, into, environ, log, "--no-deps", "--require-hashes")
    everything.unlink()


async def download(
    requirements: Path, base: Base, into: Path, environ: Mapping[str, str], log: Log, *options: str
) -> None:
    await asyncio.to_thread(into.mkdir)
    environ = {k: v for k, v in environ.items() if not k.startswith("PYTHON") and k != "PIP_PYTHON"}
    argv: list[str | Path] = [
        sys.executable, "-I", wheels_only.__file__, "--",
        "download", "--dest", into, "--requirement", requirements, "--only-binary", ":all:",
        "--implementation", "cp", "--python-version", base.python.minor,
        *(word for name in base.platforms for word in ("--platform", name)),
        *options, "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--quiet",
    ]  # fmt: skip
    ended = await process.run(
        argv, environ=environ, cwd=requirements.parent, log=_without_noise(log), timeout_seconds=_SECONDS
    )
    if ended.exit_code != 0:
        raise locks.failure(ended.lines, base.python)


def _without_noise(log: Log) -> Log:
    """An index in a directory that lacks a package is nothing to warn of."""

    def told(line: str) -> None:
        if not line.startswith("WARNING: Location "):
            log(line)

    return told


def unpack_uv(wheels: Path, target: Path) -> None:
    """The program uv, out of its wheel: the image has no other installer."""
    wheel = next(wheels.glob("uv-*.whl"), None)
    if wheel is None:
        raise BuildFailed("AO's lock has no wheel of uv for this image")
    with zipfile.ZipFile(wheel) as packed:
        name = next(name for name in packed.namelist() if name.endswith(".data/scripts/uv"))
        target.write_bytes(packed.read(name))
    target.chmod(0o755)
