"""What all sandboxes of a worker see: a copy of the runner that any uid can read, compiled."""

import compileall
import shutil
from pathlib import Path

import ao_runner
from ao.sandbox.process import supervisor as supervisor_package

SHARED = "shared"


def share(shared: Path, *, supervisor: bool = False) -> None:
    """Copy this version's runner into the directory `shared`, and with `supervisor` what a container starts
    with; what else is there stays."""
    for package in (ao_runner, supervisor_package) if supervisor else (ao_runner,):
        source = Path(package.__path__[0])
        _copy(source, shared / source.name)
    for directory in (shared.parent, shared):
        directory.chmod(0o755)


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for path in source.glob("*.py"):
        copy = target / path.name
        copy.write_bytes(path.read_bytes())
        copy.chmod(0o644)
    compileall.compile_dir(target, quiet=1, invalidation_mode=None)
    for directory in (target, target / "__pycache__"):
        directory.chmod(0o755)
    for path in (target / "__pycache__").iterdir():
        path.chmod(0o644)
