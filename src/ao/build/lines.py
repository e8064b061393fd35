"""The lines of requirements files: which of them pip may see.

Without `source_allowed`, what cannot be installed without executing code of the project or of a repository is
refused: editable and local installs, repositories, source archives. Nothing here resolves or downloads.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ao.domain.errors import BuildFailed

_VALUE_OPTIONS = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "--trusted-host": "--trusted-host",
    "--only-binary": "--only-binary",
    "-f": "--find-links",
    "--find-links": "--find-links",
}
_FLAGS = ("--pre", "--prefer-binary", "--require-hashes", "--no-index")
_PLAIN = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[A-Za-z0-9._,\s-]*\])?\s*"
    r"(\(?\s*[<>=!~][A-Za-z0-9._*+!<>=~,\s-]*?\)?)?\s*(;.*?)?(\s--hash=sha\d+:[0-9a-f]+)*$"
)
"""A package of an index (PEP 508), with hashes: no path, no URL, no other option."""
_ARCHIVES = (".whl", ".zip", ".tar", ".gz", ".bz2", ".xz", ".lz", ".lzma", ".tgz", ".tbz", ".txz", ".tlz")
"""pip takes a name that ends so for a file."""
_MAX_DEPTH = 10


class Lines:
    """Reads requirements files of the project at `root`."""

    def __init__(self, root: Path, source_allowed: bool) -> None:
        self._root = root
        self._source_allowed = source_allowed

    def of_file(self, file: Path, depth: int = 0) -> Iterator[str]:
        """The lines of a file, with the files that it includes in their places."""
        shown = file.relative_to(self._root).as_posix()
        if depth > _MAX_DEPTH:
            raise BuildFailed(f"{shown} includes itself")
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BuildFailed(f"{shown} cannot be read: {error}") from error
        for line in logical(text):
            option, value = _split_option(line)
            if option in ("-r", "--requirement"):
                yield from self.of_file(self._root / self._inside(value, file.parent, shown, line), depth + 1)
            else:
                yield self.checked(line, shown, file.parent)

    def checked(self, line: str, source: str, base: Path) -> str:
        """A requirement or option that pip may see; places become relative to `root`."""
        if "${" in line:
            raise BuildFailed(f"{source}: variables of the server are not put into requirements: {line}")
        if line.startswith("-"):
            return self._option(line, source, base)
        for word in line.split()[1:]:
            if word.startswith("-") and not word.startswith("--hash="):
                raise BuildFailed(f"{source}: the option {word} is not supported: {line}")
        plain = _PLAIN.match(line)
        if plain and not plain["name"].lower().endswith(_ARCHIVES):
            return line
        _, at, url = line.partition("@")
        target = re.split(r";| --", url if at else line, maxsplit=1)[0].strip()
        parts = urlsplit(target)
        if parts.scheme in ("http", "https") and parts.path.endswith(".whl"):
            return line
        if not parts.scheme and target.endswith(".whl"):
            return f"./{self._inside(target, base, source, line)}"
        if self._source_allowed and (parts.scheme in ("http", "https") or parts.scheme.startswith("git+http")):
            return line
        raise BuildFailed(
            f"{source}: {line} would execute code to be installed",
            hint="wheels are installed, from an index or the project; `[build] source = true` allows archives",
        )

    def _option(self, line: str, source: str, base: Path) -> str:
        given, value = _split_option(line)
        if given in _FLAGS:
            return given
        option = _VALUE_OPTIONS.get(given)
        if option is None:
            raise BuildFailed(f"{source}: the option {given} is not supported: {line}")
        scheme = urlsplit(value).scheme
        if option == "--find-links" and not scheme:
            return f"{option} ./{self._inside(value, base, source, line)}"
        if option in ("--find-links", "--index-url", "--extra-index-url") and scheme not in ("http", "https"):
            raise BuildFailed(f"{source}: an index is http or https: {line}")
        return f"{option} {value}"

    def _inside(self, name: str, base: Path, source: str, line: str) -> str:
        root = self._root.resolve()
        path = (base / name).resolve()
        if not path.is_relative_to(root):
            raise BuildFailed(f"{source}: {line} is not in the project")
        if not path.exists():
            raise BuildFailed(f"{source}: {line}: there is no such file")
        return path.relative_to(root).as_posix()


def logical(text: str) -> Iterator[str]:
    """Lines without comments, continuation lines joined, blanks dropped."""
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if line:
            yield " ".join(line.split())


def _split_option(line: str) -> tuple[str, str]:
    option, _, value = re.sub(r"[=\s]+", " ", line, count=1).partition(" ")
    return option, value.strip()
