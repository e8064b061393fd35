"""An agent's environment as the Python of an image sees it.

An environment names the interpreter of the host that made it, in `bin` and in `pyvenv.cfg`. Where the image has
its Python elsewhere, both are shown with that one in its place; everything else is the environment itself.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from ao.sandbox.docker.container import mount
from ao.sandbox.docker.engine import Json


def mounts_for(env_dir: Path, python: PurePosixPath, kept: Path) -> list[Json]:
    """What shows `env_dir` in a container; what has to be made for that lies in the directory `kept`."""
    mounts = [mount(env_dir)]
    if _names(env_dir, python):
        return mounts
    state = (env_dir / "bin").stat()
    key = hashlib.sha256(f"{env_dir}\n{state.st_ino}\n{state.st_mtime_ns}\n{python}".encode()).hexdigest()[:32]
    made = kept / key
    if not made.exists():
        _make(env_dir, python, made)
    return [*mounts, *(mount(made / name, env_dir / name) for name in ("bin", "pyvenv.cfg"))]


def _names(env_dir: Path, python: PurePosixPath) -> bool:
    """Whether it names this very path, so that no more is needed. An installation has its Python inside."""
    interpreter = (env_dir / "bin" / "python").resolve()
    return interpreter == Path(python) or interpreter.is_relative_to(env_dir.resolve())


def _make(env_dir: Path, python: PurePosixPath, made: Path) -> None:
    made.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".", dir=made.parent))
    try:
        _copy_bin(env_dir / "bin", python, partial / "bin")
        lines = (env_dir / "pyvenv.cfg").read_text().splitlines()
        text = "".join(f"{_line(line, python)}\n" for line in lines)
        (partial / "pyvenv.cfg").write_text(text)
        (partial / "pyvenv.cfg").chmod(0o644)
        for directory in (partial, partial / "bin"):
            directory.chmod(0o755)
        try:
            partial.rename(made)
        except OSError:
            if not made.exists():  # another run was faster
                raise
    finally:
        if partial.exists():
            shutil.rmtree(partial)


def _copy_bin(source: Path, python: PurePosixPath, target: Path) -> None:
    target.mkdir()
    base = (source / "python").resolve()
    for path in source.iterdir():
        copy = target / path.name
        if path.resolve() == base:
            copy.symlink_to(python if path.name == "python" else "python")
        elif path.is_symlink():
            copy.symlink_to(path.readlink())
        else:
            _link(path, copy)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)


def _line(line: str, python: PurePosixPath) -> str:
    key = line.partition("=")[0].strip()
    values = {"home": python.parent, "executable": python}
    return f"{key} = {values[key]}" if key in values else line
