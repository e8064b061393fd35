"""What the system refuses to do with AO's own files, in AO's words."""

import errno
import os

from ao.domain.errors import AoError, StorageClosed, StorageFull

WHO_OWNS = "see who owns it and how it is mounted: AO has to write there"


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ESTALE})


def refusal(error: OSError, hint_when_full: str, place: str | os.PathLike[str] = "") -> AoError | None:
    """None for what is none of: no room, and a place that is closed to AO, `place` where it names none."""
    if error.errno in _FULL:
        return StorageFull(hint=hint_when_full)
    name = error.filename2 or error.filename or place
    if error.errno in _CLOSED and name and isinstance(name, str | os.PathLike):
        return StorageClosed(f"{_there(name)} cannot be written: {error.strerror}", hint=WHO_OWNS)
    return None


def _there(name: str | os.PathLike[str]) -> str:
    """Of what could not be made: the directory."""
    return os.fspath(name) if os.path.lexists(name) else os.path.dirname(name)
