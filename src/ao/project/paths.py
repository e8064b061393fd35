"""Which names may be inside a release."""

import posixpath
import unicodedata
from fnmatch import fnmatchcase

MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255
MAX_DEPTH = 64
RESERVED = ".ao"
"""The directory of a release in which AO keeps its own files."""


def why_refused(path: str) -> str | None:
    """Why a relative path with `/` may not be in a release; None when it may."""
    if not path or path.startswith("/"):
        return "is an absolute path" if path else "has no name"
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    names = path.split("/")
    if ".." in names:
        return "leads out of the project"
    if "." in names or "" in names:
        return "is not written in its simplest form"
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        return "has a control character in its name"
    if names[0].casefold() == RESERVED:
        return f"is in {RESERVED}/, which belongs to AO"
    if size > MAX_PATH_BYTES or len(names) > MAX_DEPTH or max(len(n.encode()) for n in names) > MAX_NAME_BYTES:
        return f"has a path that is too long ({size} bytes, {len(names)} levels)"
    return None


def leads_out(link: str, target: str) -> bool:
    """Whether a symbolic link at `link` points out of the project, by its text alone."""
    if not target or target.startswith("/"):
        return True
    depth = link.count("/")
    for name in target.split("/"):
        depth += -1 if name == ".." else name not in ("", ".")
        if depth < 0:
            return True
    return False


def collision_key(path: str) -> str:
    """Equal for two paths that some file system takes for one: case and Unicode form are ignored."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def matches(path: str, patterns: list[str]) -> bool:
    """Whether a path is one of the files, below one of the directories, or matched by one of the globs."""
    return any(_matches(path, pattern) for pattern in patterns)


def _matches(path: str, pattern: str) -> bool:
    pattern = posixpath.normpath(pattern)
    if pattern == "." or path == pattern or path.startswith(pattern + "/"):
        return True
    if not any(character in pattern for character in "*?["):
        return False
    return _glob(path.split("/"), pattern.split("/"))


def _glob(names: list[str], patterns: list[str]) -> bool:
    """`**` stands for any number of levels; a pattern that matches a directory takes all below it."""
    if not patterns:
        return True
    if patterns[0] == "**":
        rest = patterns[1:]
        return any(_glob(names[index:], rest) for index in range(len(names)))
    return bool(names) and fnmatchcase(names[0], patterns[0]) and _glob(names[1:], patterns[1:])
