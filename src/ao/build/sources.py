"""Wheels from source: pip builds them in a sandbox, with network, with one writable directory and no secrets.

The sandbox gets the host's pip configuration (indexes, certificates, proxies), so credentials that stand in an
index URL are visible to what is built.
"""

import ast
import asyncio
import os
import shutil
import stat
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from ao.build import Log, process
from ao.build.process import Ended
from ao.domain.errors import BuildFailed, InternalError
from ao.sandbox import Entrypoint, Executor, Level, Limits, Message, Network, Sandbox, SandboxSpec, StopCause

_TIMEOUT_SECONDS = 1800.0
_LIMITS = Limits(memory_bytes=4 << 30, processes=1024, disk_bytes=4 << 30, tmp_bytes=4 << 30)
_OUT_BYTES = 4 << 30
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_NOT_OURS = frozenset({"CACHE_DIR", "LOG", "PYTHON", "PREFIX", "ROOT", "SRC", "TARGET", "USER", "WHEEL_DIR"})
"""Settings of pip that name places of the host to write to, or another pip."""
_SECTIONS = ("global", "wheel", ":env:")
"""Of pip's configuration, weakest first."""


def pip_runner() -> Path:
    """AO's own pip as a script that any Python >= 3.10 can execute."""
    found = find_spec("pip")
    if found is None or found.origin is None:
        raise InternalError("pip is not installed beside AO", hint="install AO again")
    return Path(found.origin).with_name("__pip-runner__.py")


class SourceBuilds:
    def __init__(self, executor: Executor | None, environ: Mapping[str, str]) -> None:
        self._executor = executor
        self._environ = environ

    async def wheels(self, requirements: Path, root: Path, env: Path, out: Path, log: Log) -> Ended:
        """Put the wheels of everything that is required, built or downloaded, into `out`.

        `env` is an environment of the Python that they are for. Raises `BuildFailed` when this host cannot
        isolate builds.
        """
        executor = self._executor
        if executor is None or executor.info.level is Level.DEGRADED:
            raise BuildFailed(
                "packages from source are built in a sandbox, and this host cannot isolate one",
                hint="`ao doctor` says what is missing; or use packages that have wheels",
            )
        box = requirements.parent / "out"
        box.mkdir()
        await asyncio.to_thread(_copy_pip, requirements.parent / "pip")
        for directory, mode in ((box, 0o777), (root, 0o755), (requirements.parent, 0o755)):
            directory.chmod(mode)  # the sandbox is another user
        spec = await self._spec(requirements, root, env, box)
        sandbox = await executor.start(spec)
        try:
            ended = await _watch(sandbox, log)
        finally:
            await sandbox.stop(StopCause.CANCELLED)
            await asyncio.shield(sandbox.wait())
        await asyncio.to_thread(_take, box, out)
        return ended

    async def _spec(self, requirements: Path, root: Path, env: Path, box: Path) -> SandboxSpec:
        settings = await asyncio.to_thread(_with_constraints, await self._settings(), requirements.parent)
        python = env / "bin" / "python"
        pip = (
            requirements.parent / "pip" / pip_runner().name
        )  # a copy: Landlock would not show what is above it
        command = [python, "-I", pip, "wheel", "-r", requirements, "-w", box]
        command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-cache-dir"]
        shown = [requirements.parent, *_directories(settings)]
        return SandboxSpec(
            id=f"build-{uuid.uuid4().hex[:12]}",
            code_dir=root,
            env_dir=env,
            python=python,
            entrypoint=Entrypoint("command", command=[str(word) for word in command]),
            input_json="{}",
            env=settings,
            limits=_LIMITS,
            network=Network("full"),
            writable_dirs=[box],
            readable_dirs=shown,
        )

    async def _settings(self) -> dict[str, str]:
        """The host's pip configuration, proxies and certificates as variables."""
        said: list[str] = []
        argv: list[str | Path] = [sys.executable, "-I", "-m", "pip", "config", "list"]
        await process.run(argv, environ=self._environ, cwd=Path("/"), log=said.append, timeout_seconds=60.0)
        found: dict[str, str] = {}
        for section in _SECTIONS:
            for line in said:
                key, equals, value = line.partition("=")
                if equals and key.startswith(section + "."):
                    name = key.removeprefix(section + ".").upper().replace("-", "_")
                    found[f"PIP_{name}"] = " ".join(str(ast.literal_eval(value)).split())
        found = {name: value for name, value in found.items() if name.removeprefix("PIP_") not in _NOT_OURS}
        for name in (*_PROXIES, *(name.lower() for name in _PROXIES), *_CERTIFICATES):
            if name in self._environ:
                found[name] = self._environ[name]
        return found


def _with_constraints(settings: Mapping[str, str], directory: Path) -> Mapping[str, str]:
    """With copies of pip's constraints in `directory`: where they lie, as below /etc, they are not shown."""
    words = settings.get("PIP_CONSTRAINT", "").split()
    for number, word in enumerate(words):
        if os.path.isabs(word) and os.path.isfile(word):
            copy = directory / f"constraints-{number}.txt"
            copy.write_bytes(Path(word).read_bytes())
            copy.chmod(0o644)
            words[number] = str(copy)
    return {**settings, "PIP_CONSTRAINT": " ".join(words)} if words else settings


def _copy_pip(root: Path) -> None:
    """AO's own pip, readable for every user, whatever the umask is."""
    shutil.copytree(pip_runner().parent, root, ignore=_of_other_pythons)
    for directory, _, names in os.walk(root):
        os.chmod(directory, 0o755)  # noqa: S103 - that is the purpose
        for name in names:
            os.chmod(os.path.join(directory, name), 0o644)


def _of_other_pythons(directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".pyc") and f".{sys.implementation.cache_tag}." not in name]


def _directories(settings: Mapping[str, str]) -> Iterator[Path]:
    """What pip's configuration names on this host: links, file indexes, certificates."""
    for value in settings.values():
        for word in value.split():
            parts = urlsplit(word)
            path = Path(parts.path if parts.scheme == "file" else word)
            if path.is_absolute() and path.exists():
                yield path if path.is_dir() else path.resolve()


async def _watch(sandbox: Sandbox, log: Log) -> Ended:
    lines: list[str] = []

    def told(line: str) -> None:
        log(line)
        lines.append(line)

    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(_lines(sandbox.read_stdout, told))
            group.create_task(_lines(sandbox.read_stderr, told))
            last = group.create_task(_last(sandbox))
    except TimeoutError as error:
        raise BuildFailed(f"the source build was stopped after {_TIMEOUT_SECONDS:.0f} s") from error
    ended = await sandbox.wait()
    if ended.cause is not None:
        raise BuildFailed(f"the source build was stopped: {ended.detail or ended.cause}")
    message = last.result()
    return Ended(0 if message is not None and message["type"] == "result" else 1, lines[-400:])


async def _lines(read: Callable[[], Awaitable[bytes]], told: Log) -> None:
    rest = b""
    while data := await read():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            told(line.decode("utf-8", "replace").rstrip())
    if rest:
        told(rest.decode("utf-8", "replace"))


async def _last(sandbox: Sandbox) -> Message | None:
    last: Message | None = None
    while (message := await sandbox.receive()) is not None:
        if message["type"] in ("result", "error"):
            last = message
    return last


def _take(box: Path, out: Path) -> None:
    """Copy the wheels out. What is in the box was made by code that nobody trusts: links are not followed."""
    total = 0
    for name in sorted(os.listdir(box)):
        if not name.endswith(".whl"):
            continue
        descriptor = os.open(box / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as source:
            status = os.fstat(source.fileno())
            total += status.st_size
            if not stat.S_ISREG(status.st_mode) or total > _OUT_BYTES:
                raise BuildFailed(f"the source build left something else than a wheel: {name}")
            with (out / name).open("xb") as target:
                shutil.copyfileobj(source, target)
