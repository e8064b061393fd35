"""Pages of listings, newest first."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from ao.server.replies import bad_cursor, cursor, read_cursor
from ao.wire.schemas import MAX_VERSION

T = TypeVar("T")

ID_LENGTH = 36


def cut(found: Sequence[T], limit: int, position: Callable[[T], str | int]) -> tuple[Sequence[T], str | None]:
    """(a page, the cursor of the next one) of up to `limit` + 1 that were found: one more tells that there is
    a next one."""
    return found[:limit], cursor(position(found[limit - 1])) if len(found) > limit else None


def id_before(text: str | None) -> str | None:
    """The id in the cursor of a listing that is ordered by ids. Raises InvalidInput."""
    before = read_cursor(text)
    if before is not None and len(before) != ID_LENGTH:
        raise bad_cursor()
    return before


def version_before(text: str | None) -> int | None:
    """The number in the cursor of a listing of versions. Raises InvalidInput."""
    before = read_cursor(text)
    if before is not None and not (before.isdecimal() and 0 < int(before) <= MAX_VERSION):
        raise bad_cursor()
    return int(before) if before else None


def instant_before(text: str | None) -> int | None:
    """The microseconds in the cursor of a listing that is ordered by time. Raises InvalidInput."""
    before = read_cursor(text)
    if before is not None and not (before.isdecimal() and len(before) <= 18):
        raise bad_cursor()
    return int(before) if before else None
