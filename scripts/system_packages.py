"""Under CI=true, installs the Debian packages that `.ci/packages.txt` lists."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIST = Path(__file__).resolve().parent.parent / ".ci" / "packages.txt"
POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian asks it before a package starts its service."""


def main() -> int:
    if os.environ.get("CI") != "true":
        return 0
    lines = (line.partition("#")[0].strip() for line in LIST.read_text().splitlines())
    missing = [name for name in lines if name and not _installed(name)]
    if not missing:
        return 0
    if shutil.which("apt-get") is None:
        print("error: CI=true needs these packages and there is no apt-get:", *missing, file=sys.stderr)
        return 1
    apt = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), "apt-get"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if "postgresql" in missing:
        # The tests start a server of their own; Debian's would be a daemon that nobody asked for.
        _write_as_root(Path("/etc/postgresql-common/createcluster.conf"), "create_main_cluster = false\n")
    with no_daemons():
        subprocess.run([*apt, "update", "-qq"], check=True, env=env)
        subprocess.run([*apt, "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, env=env)
    return 0


@contextmanager
def no_daemons() -> Iterator[None]:
    """Packages that are installed meanwhile start no service of theirs."""
    if POLICY.exists():  # it says what this host wants
        yield
        return
    _write_as_root(POLICY, "#!/bin/sh\nexit 101\n")
    try:
        _as_root("chmod", "755", str(POLICY))
        yield
    finally:
        _as_root("rm", "-f", str(POLICY))


def _write_as_root(path: Path, text: str) -> None:
    _as_root("mkdir", "-p", str(path.parent))
    _as_root("tee", str(path), input=text)


def _as_root(*command: str, input: str = "") -> None:
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*root, *command], input=input, text=True, check=True, stdout=subprocess.DEVNULL)


def _installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    query = ["dpkg-query", "-W", "-f", "${Status}", package]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return found.stdout.endswith("ok installed")


if __name__ == "__main__":
    sys.exit(main())
