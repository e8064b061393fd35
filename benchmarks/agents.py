"""The projects that the benchmark deploys, written into a temporary directory."""

import base64
import hashlib
import zipfile
from pathlib import Path

NOOP = "noop"
WITNESS = "witness"
CHILD = "child"
PACKAGED = "packaged"
STEPS = "steps"
ROLLED = "rolled"
HOLD = "hold"

_NOOP = "def work(number):\n    return 2 * number + 1\n"

_WITNESS = """
import os
import time

def work(task):
    entered = time.time()
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    own = {kind: int(os.readlink(f"/proc/self/ns/{kind}").split("[")[1][:-1]) for kind in kinds}
    time.sleep(task["seconds"])
    number = 2 * task["number"] + 1
    return {"number": number, "entered": entered, "namespaces": own, "left": time.time()}
"""

_CHILD = """
import subprocess
import sys

CHILD = "import sys; print(2 * int(sys.argv[1]) + 1)"

def work(number):
    done = subprocess.run([sys.executable, "-c", CHILD, str(number)], stdout=subprocess.PIPE, check=True)
    return int(done.stdout)
"""

_STEPS = """
import time

from ao_runner import step

def work(count):
    total, seconds = 0, []
    for number in range(count):
        before = time.perf_counter()
        total += step.run("one", int, number)
        seconds.append(time.perf_counter() - before)
    return {"sum": total, "seconds": seconds}
"""

_ROLLED = "import asyncio, json\n\nfrom changed import NUMBER\n\ndef work(_number):\n    return NUMBER\n"

_HOLD = "import time\n\ndef work(_number):\n    time.sleep(3600)\n"

_PACKAGED = "import ao_benchmark_package\n\ndef work(number):\n    return ao_benchmark_package.odd(number)\n"

STDLIB = "stdlib"
OPENAI = "openai"
_STDLIB = "import asyncio, dataclasses, json, urllib.request\n"
PACKAGES = ("numpy", "pandas", OPENAI)
"""Of these agents must start warm."""
_COLD = "\n[sandbox]\nwarm = false\n"

_CODE = {
    NOOP: _NOOP,
    WITNESS: _WITNESS,
    CHILD: _CHILD,
    PACKAGED: _PACKAGED,
    STEPS: _STEPS,
    ROLLED: _ROLLED,
    HOLD: _HOLD,
}

WHEEL = "ao_benchmark_package-1.0-py3-none-any.whl"
_MODULES = 200
"""Files in the wheel, about as many as a middling dependency has."""


def write(directory: Path, name: str, *, warm: bool = False) -> Path:
    """One of the projects above, started cold or as shipped; returns its directory."""
    code = _CODE[name]
    project = directory / name
    project.mkdir()
    toml = f'name = "{name}"\nentrypoint = "agent:work"\n'
    if name == PACKAGED:
        toml += 'requirements = "requirements.txt"\n'
        (project / "requirements.txt").write_text("ao-benchmark-package==1.0\n")
    (project / "ao.toml").write_text(toml + ("" if warm else _COLD))
    (project / "agent.py").write_text(code)
    return project


def write_start(directory: Path, name: str, imports: str, *, warm: bool) -> Path:
    """A no-op that imports something, started cold or as shipped."""
    project = directory / name
    project.mkdir()
    toml = f'name = "{name}"\nentrypoint = "agent:work"\n'
    if imports in PACKAGES:
        toml += 'requirements = "requirements.txt"\n'
        (project / "requirements.txt").write_text(f"{imports}\n")
    (project / "ao.toml").write_text(toml + ("" if warm else _COLD))
    (project / "agent.py").write_text((_STDLIB if imports == STDLIB else f"import {imports}\n") + _NOOP)
    return project


def change(project: Path, number: int) -> None:
    """Another version of the code, with the same dependencies."""
    (project / "changed.py").write_text(f"NUMBER = {number}\n")


def write_wheel(directory: Path) -> None:
    """A dependency that needs no network."""
    directory.mkdir()
    info = "ao_benchmark_package-1.0.dist-info"
    files = {
        "ao_benchmark_package/__init__.py": "def odd(number):\n    return 2 * number + 1\n",
        **{f"ao_benchmark_package/part{n}.py": f"VALUE = {n}\n" for n in range(_MODULES)},
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: ao-benchmark-package\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(directory / WHEEL, "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
