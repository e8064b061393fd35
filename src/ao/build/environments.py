"""Virtual environments: one per (Python, lock), made offline from kept wheels, shared read-only.

A record per environment (which Python, lock and wheels) outlives its directory. A lock file beside it lets any
number of tasks and processes make it once. It is made in its final place (scripts in it contain their path) and
counts from the moment its `.ready` file is there.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from uv import find_uv_bin

from ao.blobs import BlobStore
from ao.build import Log, Recall, intrusion, process
from ao.build.bytecode import compile_tree
from ao.build.disk import check_open, check_output
from ao.build.pythons import Python, Pythons
from ao.build.releases import protect, remove_tree, sync_tree
from ao.domain.errors import BuildFailed, InternalError
from ao.ids import Digest

_FORMAT = "1"
"""Part of every key: raise it when environments are made in another way."""
_READY = ".ready"
_TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that an environment is made from."""

    python: str
    """`Python.identity`."""
    version: str
    lock: Digest | None = None
    wheels: Mapping[str, Digest] | None = None
    """File name → blob."""

    @property
    def key(self) -> str:
        text = f"{_FORMAT}\n{self.python}\n{self.lock or ''}\n"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Recipe":
        return cls(**json.loads(text))


class Environments:
    def __init__(
        self,
        root: Path,
        records: Path,
        work: Path,
        blobs: BlobStore,
        pythons: Pythons,
        environ: Mapping[str, str],
    ) -> None:
        self.root = root
        self.records = records
        self._work = work
        self._blobs = blobs
        self._pythons = pythons
        self._environ = {k: v for k, v in environ.items() if not k.startswith(("UV_", "PYTHON", "VIRTUAL_ENV"))}
        self._locks: dict[str, asyncio.Lock] = {}
        for directory in (root, records, work):
            directory.mkdir(parents=True, exist_ok=True)

    def recipe(self, key: str) -> Recipe | None:
        """What is known of an environment that was made before."""
        try:
            return Recipe.from_json(self._record(key).read_bytes())
        except FileNotFoundError:
            return None

    def is_ready(self, key: str) -> bool:
        directory = self.root / key
        return (directory / _READY).exists() and (directory / "bin" / "python").exists()

    async def make(self, recipe: Recipe, log: Log) -> Path:
        """The environment, made now if it is not there. Raises `BuildFailed`."""
        key = recipe.key
        directory = self.root / key
        if self.is_ready(key):
            os.utime(directory)
            os.utime(self._record(key))
            return directory
        check_open(self.root)
        async with self._alone(key):
            if not self.is_ready(key):
                await asyncio.to_thread(remove_tree, directory)
                await asyncio.to_thread(self._keep, recipe)
                try:
                    await self._create(recipe, directory, log)
                except BaseException:
                    await asyncio.to_thread(remove_tree, directory)
                    raise
        return directory

    async def restore(self, key: str, elsewhere: Recall | None = None) -> Path:
        """An environment of an earlier build; made again from kept wheels if it is not there. `elsewhere` is
        asked for the recipe of one that another machine built."""
        if self.is_ready(key):
            os.utime(self.root / key)  # it is in use
            return self.root / key
        recipe = self.recipe(key)
        if recipe is None and elsewhere is not None and (text := await elsewhere()) is not None:
            recipe = Recipe.from_json(text)
        if recipe is None:
            raise InternalError(f"nothing is known of environment {key}", hint="deploy the agent again")
        return await self.make(recipe, lambda line: None)

    async def _create(self, recipe: Recipe, directory: Path, log: Log) -> None:
        python = await asyncio.to_thread(self._python, recipe)
        with tempfile.TemporaryDirectory(dir=self._work, prefix="env-") as name:
            temporary = Path(name)
            await self._uv(temporary, log, "venv", "--no-project", "--python", python.executable, directory)
            if recipe.lock is not None:
                own = await asyncio.to_thread(intrusion.contents, directory)
                await self._install(recipe, recipe.lock, directory, temporary, log)
                await asyncio.to_thread(intrusion.check_untouched, directory, own)
        lib = directory / "lib"
        await compile_tree(lib, python.executable, lib, self._environ, log)
        await asyncio.to_thread(_finish, directory)

    async def _install(self, recipe: Recipe, lock: Digest, directory: Path, work: Path, log: Log) -> None:
        wheels, lock_file = work / "wheels", work / "requirements.lock"
        wheels.mkdir()
        for file_name, digest in (recipe.wheels or {}).items():
            await self._blobs.save(digest, wheels / file_name)
            await asyncio.to_thread(intrusion.check_names, wheels / file_name)
        lock_file.write_bytes(await self._blobs.get(lock))
        await self._uv(
            work, log, "pip", "install", "--python", directory / "bin" / "python", "--no-index", "--no-deps",
            "--find-links", wheels, "--require-hashes", "--no-build",
            "--link-mode", "hardlink", "-r", lock_file,
        )  # fmt: skip

    async def _uv(self, work: Path, log: Log, *arguments: str | Path) -> None:
        argv = [find_uv_bin(), *arguments, "--offline", "--no-config", "--no-python-downloads", "--quiet"]
        environ = {
            **self._environ,
            "UV_CACHE_DIR": str(work / "cache"),
            "UV_NO_PROGRESS": "1",
        }
        ended = await process.run(argv, environ=environ, cwd=work, log=log, timeout_seconds=_TIMEOUT_SECONDS)
        if ended.exit_code != 0:
            check_output(ended.lines)
            said = " ".join(ended.lines[-3:])
            raise BuildFailed(
                f"the environment could not be made: {said}", details={"output": list(ended.lines[-40:])}
            )

    def forget(self, keep: Collection[str], idle_seconds: float) -> None:
        """Remove the records of environments that are not kept and lay idle for so long."""
        newest = time.time() - idle_seconds
        for record in self.records.iterdir():
            if record.stem not in keep and (not idle_seconds or record.stat().st_mtime <= newest):
                record.unlink()

    def _record(self, key: str) -> Path:
        return self.records / f"{key}.json"

    def _python(self, recipe: Recipe) -> Python:
        python = self._pythons.find(recipe.version)
        if python.identity != recipe.python:
            raise BuildFailed(
                f"Python {recipe.python} is not on this host",
                hint="install it, or deploy the agent again with a Python that every worker has",
            )
        return python

    def _keep(self, recipe: Recipe) -> None:
        target = self._record(recipe.key)
        with tempfile.NamedTemporaryFile(dir=self.records, prefix=".new-", delete=False) as file:
            file.write(recipe.to_json().encode())
            file.flush()
            os.fsync(file.fileno())
        os.rename(file.name, target)

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """Hold the environment against other tasks, then against other processes."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            descriptor = os.open(self.root / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                while not _try_lock(descriptor):  # noqa: ASYNC110 - another process is at it
                    await asyncio.sleep(0.02)
                yield
            finally:
                os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _finish(directory: Path) -> None:
    sync_tree(directory)
    (directory / _READY).touch()
    protect(directory)
