"""Which files of a project are left out of its release.

`.aoignore` counts where the project has one at its top, else `.gitignore`, in the nested directories too and
with git's rules: the last pattern that matches wins, the deepest file first, and nothing below an ignored
directory comes back.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from pathspec import GitIgnoreSpec

ALWAYS = (".git", ".hg", ".svn", ".venv", ".ao", "__pycache__", "*.pyc", "*.pyo", ".env", ".DS_Store")
CACHES = (".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox")
_SECRETS = (
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "id_rsa*",
    "id_ed25519*",
    "id_ecdsa*",
    ".env.*",
    ".netrc",
    ".pypirc",
)
_HARMLESS = (".env.example", ".env.sample", ".env.template", "*.pub")


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that hold in one directory: its own file and those above it."""

    file_name: str
    specs: tuple[tuple[str, GitIgnoreSpec], ...]
    """(directory relative to the project with `/` at its end or empty, patterns), top first."""

    @classmethod
    def of(cls, root: Path) -> Self:
        name = ".aoignore" if (root / ".aoignore").is_file() else ".gitignore"
        return cls(name, ()).below(root, "")

    def below(self, directory: Path, prefix: str) -> Self:
        """The rules for a directory, given those of its parent."""
        file = directory / self.file_name
        if not file.is_file():
            return self
        lines = file.read_text("utf-8", "replace").splitlines()
        return type(self)(self.file_name, (*self.specs, (prefix, GitIgnoreSpec.from_lines(lines))))

    def ignores(self, path: str, is_directory: bool) -> bool:
        name = path.rpartition("/")[2]
        if any(fnmatchcase(name, pattern) for pattern in (*ALWAYS, *CACHES)):
            return True
        shown = path + "/" if is_directory else path
        for prefix, spec in reversed(self.specs):
            verdict = spec.check_file(shown.removeprefix(prefix)).include
            if verdict is not None:
                return verdict
        return False


def looks_secret(name: str) -> bool:
    """Whether a file's name is one that keys and passwords usually have."""
    name = name.lower()
    return any(fnmatchcase(name, p) for p in _SECRETS) and not any(fnmatchcase(name, p) for p in _HARMLESS)
