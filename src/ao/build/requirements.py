"""What a project asks for: requirements files, `pyproject.toml` and locks, as one flat requirements text."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ao.build.lines import Lines, logical
from ao.domain.agent_config import AgentConfig
from ao.domain.errors import BuildFailed

CANDIDATES = ("pylock.toml", "requirements.txt", "pyproject.toml")
"""Looked for in this order when `requirements` is not given."""
_PINNED = re.compile(
    r"^[A-Za-z0-9._-]+(\[[A-Za-z0-9._,\s-]*\])?\s*==\s*[^\s*;,]+(\s*;[^#]*?)?(\s+--hash=sha256:\w{64})+$"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Requirements of a project; `lock` when every one is pinned with its hashes."""

    source: str
    """The file that they come from."""
    lines: tuple[str, ...]
    is_lock: bool
    is_complete: bool = False
    """Made by a resolver that knows better than the packages' metadata: install exactly this."""
    local: str = ""
    """Digest of the project's own wheels, when the lines name some."""

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def uses_uv_lock(file: Path) -> bool:
    return file.name == "pyproject.toml" and file.with_name("uv.lock").is_file()


def find(config: AgentConfig, root: Path) -> Path | None:
    """The file that says what the project needs; None when it needs nothing."""
    if config.requirements is not None:
        return root / config.requirements
    for name in CANDIDATES:
        file = root / name
        if file.is_file() and (name != "pyproject.toml" or uses_uv_lock(file) or _dependencies(file)):
            return file
    return None


def read(file: Path, root: Path, source_allowed: bool) -> Wanted:
    """The requirements in a file. Raises `BuildFailed` naming the line that cannot be used."""
    lines = Lines(root, source_allowed)
    source = file.relative_to(root).as_posix()
    if file.name.startswith("pylock.") and file.suffix == ".toml":
        return Wanted(source, tuple(_pylock(file)), is_lock=True, is_complete=True)
    if file.name == "pyproject.toml":
        checked = tuple(lines.checked(line, source, file.parent) for line in _dependencies(file))
        return _with_wheels(Wanted(source, checked, is_lock=False), root)
    return _with_wheels(flat(source, tuple(lines.of_file(file))), root)


def _with_wheels(wanted: Wanted, root: Path) -> Wanted:
    if not any(line.startswith(("./", "--find-links ./")) for line in wanted.lines):
        return wanted
    digest = hashlib.sha256()
    for wheel in sorted(root.rglob("*.whl")):
        digest.update(wheel.relative_to(root).as_posix().encode() + b"\0" + wheel.read_bytes())
    return replace(wanted, local=digest.hexdigest())


def flat(source: str, lines: tuple[str, ...], is_complete: bool = False) -> Wanted:
    named = [line for line in lines if not line.startswith("-")]
    is_lock = bool(named) and all(_PINNED.match(line) for line in named)
    return Wanted(source, lines, is_lock, is_complete and is_lock)


def exported(text: str, source: str, root: Path, source_allowed: bool) -> Wanted:
    """The requirements that `uv export` printed."""
    lines = Lines(root, source_allowed)
    checked = tuple(lines.checked(line, source, root) for line in logical(text))
    return flat(source, checked, is_complete=True)


def _dependencies(file: Path) -> list[str]:
    project = _toml(file).get("project", {})
    if not isinstance(project, dict):
        return []
    if "dependencies" in project.get("dynamic", []):
        raise BuildFailed(
            "pyproject.toml: dynamic dependencies need code to be executed",
            hint="list them under [project] dependencies, or in requirements.txt",
        )
    listed = project.get("dependencies", [])
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise BuildFailed("pyproject.toml: [project] dependencies must be a list of text")
    return [" ".join(item.split()) for item in listed]


def _pylock(file: Path) -> Iterator[str]:
    """The packages of a `pylock.toml` (PEP 751) as pinned requirements."""
    lock = _toml(file)
    packages = lock.get("packages")
    if not str(lock.get("lock-version", "")).startswith("1.") or not isinstance(packages, list):
        raise BuildFailed(f"{file.name} is not a lock of version 1 (PEP 751)")
    for package in packages:
        name, version, wheels = package.get("name"), package.get("version"), package.get("wheels", [])
        digests = sorted({str(wheel.get("hashes", {}).get("sha256", "")) for wheel in wheels} - {""})
        if not name or not version or not digests:
            raise BuildFailed(f"{file.name}: {name or 'a package'} has no wheels with a version and sha256")
        marker = f" ; {package['marker']}" if package.get("marker") else ""
        line = f"{name}=={version}{marker}" + "".join(f" --hash=sha256:{digest}" for digest in digests)
        if not _PINNED.match(line):
            raise BuildFailed(f"{file.name}: {name} cannot be pinned: {line[:200]}")
        yield line


def _toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BuildFailed(f"{file.name} cannot be read: {error}") from error
