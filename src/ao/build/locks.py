"""Wheels for requirements, by pip: AO's own, with the configuration of the host exactly as it is.

Indexes, links, certificates, proxies and trusted hosts come from the host's pip configuration. Only wheels are
taken, and pip can start no program (`wheels_only`), so nothing of a package is executed.
"""

import asyncio
import hashlib
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from ao.blobs import BlobStore
from ao.build import Log, process, requirements, wheels_only
from ao.build.disk import check_output
from ao.build.process import Ended
from ao.build.pythons import Python, number
from ao.build.requirements import Wanted
from ao.build.sources import SourceBuilds, pip_runner
from ao.domain.errors import BuildFailed
from ao.ids import Digest

_TIMEOUT_SECONDS = 1800.0
_PIP_NEEDS = (3, 10)
"""Older interpreters are served by the pip that they have themselves."""
_WHEEL = re.compile(r"^([A-Za-z0-9._]+)-([^-]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl$")


@dataclass(frozen=True, slots=True)
class Locked:
    lock: bytes
    wheels: Mapping[str, Digest]
    """File name → blob; everything that the lock needs on this Python."""


class Locks:
    def __init__(self, work: Path, blobs: BlobStore, environ: Mapping[str, str], sources: SourceBuilds) -> None:
        self._work = work
        self._sources = sources
        self._blobs = blobs
        self._environ = {
            key: value
            for key, value in environ.items()
            if not key.startswith("PYTHON") and key != "PIP_PYTHON"  # it would start another pip
        }

    async def wanted(self, file: Path, root: Path, python: Python, source: bool) -> Wanted:
        """What the project asks for. With `source`, what executes code to be installed is asked for too."""
        if requirements.uses_uv_lock(file):
            return await self._export(file, root, python, source)
        return await asyncio.to_thread(requirements.read, file, root, source)

    async def resolve(
        self, wanted: Wanted, root: Path, python: Python, log: Log, source_env: Path | None = None
    ) -> Locked:
        """Download what is wanted, keep the wheels, and pin them unless they are pinned already.

        With `source_env`, an environment of that Python, what has no wheel is built; what is built has a digest
        of its own, so the lock is always of the wheels.
        """
        with tempfile.TemporaryDirectory(dir=self._work, prefix="lock-") as name:
            staging = Path(name)
            # Not a name that the project may use: pip looks for `--find-links ./wheels` beside the file first.
            file, wheels = staging / "requirements.txt", staging / ".ao-wheels"
            file.write_text(wanted.text, "utf-8")
            file.chmod(0o644)  # a sandbox is another user
            wheels.mkdir()
            told = _as_source(log, file, wanted.source)
            if source_env is None:
                ended = await self._pip(self._download(wanted, file, wheels), python, root, told)
            else:
                ended = await self._sources.wheels(file, root, source_env, wheels, told)
            if ended.exit_code != 0:
                check_output(ended.lines)
                raise failure([line.replace(str(file), wanted.source) for line in ended.lines], python)
            kept: dict[str, Digest] = {}
            for wheel in sorted(wheels.iterdir()):
                kept[wheel.name] = await self._blobs.put_file(wheel)
        is_kept_as_is = wanted.is_lock and source_env is None
        return Locked(wanted.text.encode() if is_kept_as_is else pins(kept), kept)

    def _download(self, wanted: Wanted, file: Path, wheels: Path) -> list[str | Path]:
        arguments: list[str | Path] = ["download", "-r", file, "-d", wheels, "--only-binary", ":all:"]
        arguments += ["--require-hashes"] if wanted.is_lock else []
        return arguments + (["--no-deps"] if wanted.is_complete else [])

    async def _pip(self, arguments: Sequence[str | Path], python: Python, cwd: Path, log: Log) -> Ended:
        """Isolated (`-I`): the project's directory is where pip works, and no place to import from."""
        if python.is_own:
            runner: list[str | Path] = [sys.executable, "-I", wheels_only.__file__, "--"]
        elif number(python.version)[:2] >= _PIP_NEEDS:
            runner = [python.executable, "-I", wheels_only.__file__, pip_runner(), "--"]
        else:
            runner = [python.executable, "-I", wheels_only.__file__, "--"]
        argv = [*runner, *arguments, "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        return await process.run(
            argv, environ=self._environ, cwd=cwd, log=log, timeout_seconds=_TIMEOUT_SECONDS
        )

    async def _export(self, file: Path, root: Path, python: Python, source: bool) -> Wanted:
        """The packages of a `uv.lock`; reads the two files only."""
        argv: list[str | Path] = [
            find_uv_bin(), "export", "--frozen", "--offline", "--no-config", "--no-dev", "--no-emit-project",
            "--no-header", "--no-annotate", "--format", "requirements-txt", "--project", file.parent,
            "--python", python.executable, "--no-python-downloads", "--quiet",
        ]  # fmt: skip
        with tempfile.TemporaryDirectory(dir=self._work, prefix="export-") as name:
            environ = {key: value for key, value in self._environ.items() if not key.startswith("UV_")}
            environ["UV_CACHE_DIR"] = name
            out: list[str] = []
            ended = await process.run(
                argv, environ=environ, cwd=Path(name), log=out.append, timeout_seconds=120
            )
        if ended.exit_code != 0:
            raise BuildFailed("uv.lock could not be read: " + _last(ended.lines), hint="run `uv lock`")
        return requirements.exported("\n".join(out), "uv.lock", root, source)


def _as_source(log: Log, file: Path, source: str) -> Log:
    """A log that names the project's file in place of AO's copy, without noise."""

    def told(line: str) -> None:
        if not line.startswith(("Saved ", "WARNING: Location ")):
            log(line.replace(str(file), source))

    return told


def pins(wheels: Mapping[str, Digest]) -> bytes:
    """A lock of exactly these wheels."""
    lines = []
    for name, digest in wheels.items():
        match = _WHEEL.match(name)
        if match is None:
            raise BuildFailed(f"{name} is not a wheel", hint="only wheels are installed")
        project = re.sub(r"[-_.]+", "-", match[1]).lower()
        lines.append(f"{project}=={match[2]} --hash={digest}\n")
    return "".join(sorted(lines)).encode()


def requirements_hash(wanted: Wanted, python: Python) -> str:
    """Equal when a lock that was made for one is right for the other."""
    text = f"{python.tag}\n{wanted.is_complete}\n{wanted.local}\n{wanted.text}"
    return hashlib.sha256(text.encode()).hexdigest()


def failure(lines: Sequence[str], python: Python) -> BuildFailed:
    """pip's last words as one sentence, with what to do about them."""
    text = "\n".join(lines)
    details: dict[str, object] = {"output": list(lines[-40:])}
    where = f"Python {python.minor} on {python.platform}"
    if match := re.search(r"No matching distribution found for ([^\n]+)", text):
        versions = re.search(r"\(from versions: ([^)\n]*)\)", text)
        found = ", ".join(versions[1].split(", ")[-6:]) if versions and versions[1] != "none" else ""
        return BuildFailed(
            f"no wheel of {match[1].strip()} was found for {where}" + (f"; there is {found}" if found else ""),
            hint="check name and version; a package that has only source needs `[build] source = true`",
            details=details,
        )
    if match := re.search(rf"ERROR: ([^\n]*) {wheels_only.REFUSED}", text):
        return BuildFailed(
            f"{match[1]}, which a package asks for by its address, {wheels_only.REFUSED}",
            hint="only wheels are installed; with `[build] source = true` the rest is built, in a sandbox",
            details=details,
        )
    if re.search(r"ResolutionImpossible|conflicting dependencies", text):
        conflict = re.search(r"(Cannot install [^\n]+)", text)
        said = conflict[1] if conflict else "the requirements contradict each other"
        return BuildFailed(said, hint="the build log shows which package asks for what", details=details)
    if "DO NOT MATCH THE HASHES" in text:
        return BuildFailed("a package is not the one that the lock names", hint=_last(lines), details=details)
    if "--require-hashes mode" in text:
        return BuildFailed("the lock is not complete", hint=_last(lines), details=details)
    if re.search(r"NewConnectionError|ConnectTimeout|Max retries exceeded|NameResolutionError|SSLError", text):
        return BuildFailed("the package index could not be reached", hint=_last(lines), details=details)
    if "No module named pip" in text:
        return BuildFailed(
            f"Python {python.version} has no pip", hint="install it there, or use Python 3.10 or newer"
        )
    return BuildFailed("the requirements could not be installed: " + _last(lines), details=details)


def _last(lines: Sequence[str]) -> str:
    errors = [line for line in lines if line.startswith(("ERROR:", "error:"))] or list(lines)
    return errors[-1].removeprefix("ERROR:").removeprefix("error:").strip() if errors else "no output"
