"""A wheel adds files to an environment; it leaves it nowhere, and changes nothing that makes it an environment.

Names are checked before uv unpacks, because uv passes over some that lead out without a word. What the
environment had before is compared afterwards, whatever the names said: two programs may read one archive
differently.
"""

import os
import stat
import zipfile
from pathlib import Path, PurePosixPath

from ao.domain.errors import BuildFailed

_HINT = "the package is damaged or hostile: use another version of it"
_UV_LOCK = ".lock"
"""Left by uv in every environment that it installed to."""


def check_names(wheel: Path) -> None:
    """Raises `BuildFailed`, naming the entry."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BuildFailed(f"{wheel.name} is not a wheel: {error}", hint=_HINT) from error
    for entry in entries:
        if reason := _why_refused(entry):
            raise BuildFailed(f"{wheel.name}: {entry.filename!r} {reason}", hint=_HINT)


def _why_refused(entry: zipfile.ZipInfo) -> str:
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts:
        return "leads out of the environment"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if len(path.parts) > 2 and path.parts[0].endswith(".data") and path.parts[1] == "data":
        return _why_not_in_root(path.parts[2:])
    return ""


def _why_not_in_root(parts: tuple[str, ...]) -> str:
    """Of a path below the environment's own directory, where the data of a wheel goes."""
    is_own = parts[0] in ("pyvenv.cfg", "lib64") or parts[0].startswith(".")
    return "would be the environment's own" if is_own else ""


Own = dict[str, str | bytes | None]
"""Path → link target, content, or None for a directory."""


def contents(environment: Path) -> Own:
    """All of an environment that nothing was installed to."""
    return {name: _content(environment / name) for name in _names(environment)}


def check_untouched(environment: Path, before: Own) -> None:
    """Raises `BuildFailed` when something that was there is not as it was, or a link came."""
    for name, content in before.items():
        if _content(environment / name) != content:
            raise BuildFailed(f"a package changes {name}, which is the environment's own", hint=_HINT)
    for name in _names(environment):
        if name not in before and ((environment / name).is_symlink() or _is_hidden(name)):
            raise BuildFailed(f"a package adds {name} to the environment", hint=_HINT)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name != _UV_LOCK


def _names(root: Path) -> list[str]:
    found: list[str] = []
    for directory, names, files in os.walk(root):
        found += (os.path.relpath(os.path.join(directory, name), root) for name in [*names, *files])
    return found


def _content(path: Path) -> str | bytes | None:
    if path.is_symlink():
        return os.readlink(path)
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise BuildFailed(f"{path.name} of the environment cannot be read: {error.strerror}") from error
