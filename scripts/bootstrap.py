"""Makes `.venv` from a fresh clone: `python scripts/bootstrap.py`.

Needs a Python >= 3.11 and nothing else, neither pip nor ensurepip: it fetches the pinned uv from the index
that pip is configured for, then installs what `locks/dev.txt` pins. A second call finds the stamp and ends.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older one must say what to do
    sys.exit(
        f"AO needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.\n"
        "Install one (Debian, Ubuntu: apt-get install python3; Fedora: dnf install python3.12; "
        "macOS: brew install python@3.13) or name it: make PYTHON=/path/to/python3.12 demo"
    )

import fcntl
import hashlib
import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pip_config import PipConfig

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
STAMP = VENV / "ao-bootstrap.stamp"
LOCK = ROOT / "locks" / "dev.txt"


def main() -> int:
    if _up_to_date():
        return 0
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return 0 if _up_to_date() else _install()


def fingerprint() -> str:
    """Changes when the environment has to be made again."""
    digest = hashlib.sha256()
    for path in (LOCK, ROOT / "pyproject.toml", ROOT / "scripts" / "uv_wheel.py", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _up_to_date() -> bool:
    """Also when only times changed: the stamp is made newer then, for make."""
    if not STAMP.is_file() or STAMP.read_text() != fingerprint() or not (VENV / "bin" / "python").exists():
        return False
    os.utime(STAMP)
    return True


def _install() -> int:
    import pip_config  # noqa: PLC0415 - a call that finds the stamp has no need of them
    import uv_wheel  # noqa: PLC0415

    try:
        config = pip_config.read(os.environ)
        started = time.monotonic()
        uv = uv_wheel.ensure(CACHE, config)
    except (uv_wheel.FetchError, ValueError) as error:
        return _failed(f"uv {uv_wheel.VERSION} could not be fetched:\n{error}")
    download_seconds = time.monotonic() - started
    STAMP.unlink(missing_ok=True)
    env = config.uv_environment(os.environ)
    # Everything stays in the clone, so that `make clean` removes it; a cache that somebody chose is used.
    env.setdefault("UV_CACHE_DIR", str(CACHE / "uv"))
    for step in _steps(only_local=config.index is None):
        step_started = time.monotonic()
        done = subprocess.run(
            [str(uv), *step], env=env, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            return _failed(f"`uv {' '.join(step[:2])}` failed:\n{done.stderr}{_index_of(config)}")
        if step[:2] == ["pip", "sync"]:
            download_seconds += time.monotonic() - step_started - _installing_seconds(done.stderr)
    STAMP.write_text(fingerprint())
    total = time.monotonic() - started
    print(
        f"environment ready in {total:.1f} s: downloads {download_seconds:.1f} s, "
        f"set-up {total - download_seconds:.1f} s",
        flush=True,
    )
    return 0


def _index_of(config: "PipConfig") -> str:
    """Where the packages were looked for, and which setting said so."""
    import pip_config  # noqa: PLC0415
    import uv_wheel  # noqa: PLC0415

    if config.index is None:
        return f"index: none ({config.origin['no-index']})"
    index = pip_config.without_password(config.index)
    origin = config.origin.get("index-url", "pip's default")
    return f"index: {index} ({origin}){uv_wheel.through_proxy(config.index, config)}"


def _installing_seconds(report: str) -> float:
    """What uv says about the part of a sync that comes after the downloads; 0 when it installed nothing."""
    found = re.search(r"^Installed .* in (?:(\d+)m )?([\d.]+)(m?s)$", report, re.MULTILINE)
    if found is None:
        return 0.0
    return int(found[1] or 0) * 60 + float(found[2]) * (0.001 if found[3] == "ms" else 1)


def _steps(only_local: bool) -> list[list[str]]:
    """The uv commands that make the environment."""
    common = ["--python", str(VENV), *(["--no-index"] if only_local else [])]
    steps = [
        ["pip", "sync", "--require-hashes", *common, str(LOCK)],
        ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *common, "--editable", "."],
    ]
    if not _usable():
        steps.insert(0, ["venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(VENV)])
    return steps


def _failed(message: str) -> int:
    print(
        f"error: {message}\n"
        "hint: set PIP_INDEX_URL (and PIP_CERT, HTTPS_PROXY) to what this network needs, "
        "or PIP_FIND_LINKS to a directory with the wheels.",
        file=sys.stderr,
    )
    return 1


def _usable() -> bool:
    """Whether `.venv` has a Python that starts and is new enough."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([str(VENV / "bin" / "python"), "-c", check], check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
