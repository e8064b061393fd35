"""A full disk is told as such, whoever ran into it: this process, or a program that it started."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ao.domain.errors import StorageFull

_HINT = "make room, or run `ao gc`"


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Raises `StorageFull` in place of the system's error."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(hint=_HINT) from error
        raise


def check_output(lines: Sequence[str]) -> None:
    """Raises `StorageFull` when a program said so."""
    if any("No space left on device" in line or "Disk quota exceeded" in line for line in lines):
        raise StorageFull(hint=_HINT)
