"""Dead letters: runs that failed for good, and which of them failed alike."""

import hashlib
import re
from dataclasses import dataclass

from ao.domain.outcome import ErrorInfo
from ao.domain.terminal import plain

MAX_TITLE = 200

_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line \d+, in (?P<function>.+)$', re.MULTILINE)
_RELEASE = re.compile(r"/releases/[^/]+/")
_ID = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_KEY = re.compile(r"\[[^\]]*\]|#\d+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What failures that are alike have in common."""

    digest: str
    """16 hexadecimal digits."""
    title: str
    """The error in one line, as it was."""


def fingerprint(error: ErrorInfo) -> Fingerprint:
    """By what kind of error it was and where in the agent's code. An error without a place there counts by
    its message, without numbers and ids."""
    title = error.message.strip().partition("\n")[0]
    alike = _place(error.traceback) or _plain(title)[:MAX_TITLE]
    parts = [str(error.kind), error.type, _KEY.sub("", error.step), alike]
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
    return Fingerprint(digest, plain(title)[:MAX_TITLE])


def _place(traceback: str) -> str:
    """File and function of the last frame of the agent's own code. A line's number changes with every edit."""
    own = [match for match in _FRAME.finditer(traceback) if _RELEASE.search(match["file"])]
    if not own:
        return ""
    file = _RELEASE.split(own[-1]["file"])[-1]
    return f"{file}:{own[-1]['function']}"


def _plain(title: str) -> str:
    """Without what differs from run to run."""
    return _NUMBER.sub("<n>", _ID.sub("<id>", title))
