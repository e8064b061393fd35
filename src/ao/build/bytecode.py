"""Byte-compiling trees that are read-only to those who run what is in them.

In a process of its own, by the base interpreter without `site`: neither the sources nor what is installed
beside them is trusted, a parser can be made to crash, and a `.pth` file would be executed at start.
"""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ao.build import Log
from ao.ids import Digest
from ao.logs import get_logger

log = get_logger(__name__)
_SECONDS = 600.0
WAIT_SECONDS = 0.25
"""So long a deploy waits for its modules; more of them are compiled while the release is in use already."""
COMPILED = Path(".ao", "compiled")
"""In a release: it has its compiled modules."""
_SCRIPT = """
import importlib.util, os, py_compile, sys
root, out = sys.argv[1:]
files = [os.path.join(d, n) for d, _, names in os.walk(root) for n in names if n.endswith(".py")]
if len(files) > 200:
    os.nice(10)
workers = max(1, min(os.cpu_count() or 1, len(files) // 50))
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
def compile(source):
    beside, name = os.path.split(importlib.util.cache_from_source(source))
    target = os.path.join(out, os.path.relpath(beside, root), name)
    try:
        py_compile.compile(source, target, doraise=True, invalidation_mode=mode)
    except Exception:
        pass  # it is told when it is imported
for number in range(workers):
    if os.fork() == 0:
        for source in files[number::workers]:
            compile(source)
        os._exit(0)
for _ in range(workers):
    os.wait()
"""


async def compile_tree(root: Path, python: Path, out: Path, environ: Mapping[str, str], log: Log) -> None:
    """Compile every module below `root` into the `__pycache__` directories of `out`, which has the same form.
    What does not compile says so when it is imported."""
    argv: list[str | Path] = [python, "-I", "-S", "-W", "ignore", "-c", _SCRIPT, root, out]
    null = subprocess.DEVNULL
    compiler = subprocess.Popen(  # noqa: ASYNC220 - asyncio's own can hang when its creation is cancelled
        argv, env=environ, cwd=root, stdin=null, stdout=null, stderr=null, start_new_session=True
    )
    try:
        await asyncio.to_thread(compiler.wait, _SECONDS)
    except subprocess.TimeoutExpired:
        log(f"Modules are not compiled beforehand: that took longer than {_SECONDS:.0f} s")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(compiler.pid, signal.SIGKILL)
        compiler.wait()


class Compiling:
    """Compiles published releases beside their use, each once."""

    def __init__(self, work: Path, environ: Mapping[str, str]) -> None:
        self._work = work
        self._environ = environ
        self._tasks: dict[Digest, asyncio.Task[None]] = {}
        self._tried: set[Digest] = set()
        self._turns = asyncio.Semaphore(2)

    def is_needed(self, digest: Digest, release: Path) -> bool:
        """Also when an earlier process did not come to the end; what failed in this one is not tried again."""
        return digest not in self._tried and not (release / COMPILED).exists()

    def begin(self, digest: Digest, release: Path, python: Path) -> None:
        if digest not in self._tasks:
            self._tried.add(digest)
            task = asyncio.create_task(self._compile(release, python), name=f"compile {release.name[:12]}")
            self._tasks[digest] = task
            task.add_done_callback(lambda _: self._tasks.pop(digest))

    async def wait(self, digests: Collection[Digest] | None = None, seconds: float | None = None) -> None:
        """Until these releases, or all, are compiled, but not longer than `seconds`."""
        wanted = self._tasks if digests is None else digests
        tasks = [self._tasks[digest] for digest in wanted if digest in self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _compile(self, release: Path, python: Path) -> None:
        try:
            async with self._turns:
                with tempfile.TemporaryDirectory(dir=self._work, prefix="bytecode-") as name:
                    await compile_tree(release, python, Path(name), self._environ, log.warning)
                    await asyncio.to_thread(_place, Path(name), release)
        except OSError as error:  # such as a full disk; runs work, and start more slowly
            log.warning(f"Modules of release {release.name[:12]} are not compiled beforehand: {error}")


def _place(compiled: Path, release: Path) -> None:
    """Move compiled modules into a release that is in use: each is there or not, none is half there."""
    for name, _, files in os.walk(compiled):
        target = release / Path(name).relative_to(compiled)
        if not files or target.is_symlink():  # the project's own; nothing is written through it
            continue
        with _writable(target.parent):
            target.mkdir(exist_ok=True)
        with _writable(target):
            for file in files:
                os.chmod(os.path.join(name, file), 0o444)
                os.rename(os.path.join(name, file), target / file)
    with _writable(release):
        (release / COMPILED.parent).mkdir(exist_ok=True)
    with _writable(release / COMPILED.parent):
        (release / COMPILED).touch()
        (release / COMPILED).chmod(0o444)


@contextmanager
def _writable(directory: Path) -> Iterator[None]:
    directory.chmod(0o755)
    try:
        yield
    finally:
        directory.chmod(0o555)
