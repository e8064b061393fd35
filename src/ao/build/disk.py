"""What the disk refuses is told as such, whoever ran into it: this process, or a program that it started."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ao.domain.errors import StorageFull
from ao.system import refusal

_HINT = "make room, or run `ao gc`"


@contextmanager
def refusals_told(place: Path | None = None) -> Iterator[None]:
    """Raises `StorageFull` or `StorageClosed` for the system's error; `place` where that names none."""
    try:
        yield
    except OSError as error:
        refused = refusal(error, _HINT, place or "")
        if refused is None:
            raise
        raise refused from error


def check_output(lines: Sequence[str]) -> None:
    """Raises `StorageFull` when a program said so."""
    if any("No space left on device" in line or "Disk quota exceeded" in line for line in lines):
        raise StorageFull(hint=_HINT)


def check_open(directory: Path) -> None:
    """Raises the system's error when this process may not make files there: programs that it starts would say
    so in words of their own."""
    try:
        os.utime(directory)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(directory)) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(directory))
