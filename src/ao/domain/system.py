"""What the system refuses to do with AO's own files, in AO's words."""

import errno

from ao.domain.errors import AoError, StorageFull, Unavailable

WHO_OWNS = "see who owns it and how it is mounted: AO has to write there"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ESTALE})


def refusal(error: OSError, hint_when_full: str) -> AoError | None:
    """None for what is none of: no room, and a place that is closed to AO."""
    if error.errno in _FULL:
        return StorageFull(hint=hint_when_full)
    if error.errno in _CLOSED:
        place = error.filename2 or error.filename
        return Unavailable(f"{place} cannot be written: {error.strerror}", hint=WHO_OWNS)
    return None
