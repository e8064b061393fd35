"""What all sandboxes of a worker see: a copy of the runner that any uid can read, compiled."""

import compileall
import shutil
from pathlib import Path

import ao_runner

SHARED = "shared"


def share(shared: Path) -> None:
    """Copy this version's runner into the directory `shared`; what else is there stays."""
    runner = shared / "ao_runner"
    if runner.exists():
        shutil.rmtree(runner)
    runner.mkdir(parents=True)
    for source in Path(ao_runner.__file__).parent.glob("*.py"):
        target = runner / source.name
        target.write_bytes(source.read_bytes())
        target.chmod(0o644)
    compileall.compile_dir(runner, quiet=1, invalidation_mode=None)
    for directory in (shared.parent, shared, runner, runner / "__pycache__"):
        directory.chmod(0o755)
    for path in (runner / "__pycache__").iterdir():
        path.chmod(0o644)
