"""One exit status for every error class."""

from collections.abc import Iterator

import pytest

from ao.cli import exits
from ao.domain.errors import AoError, Conflict, HomeInUse, RunFailed, WaitTimeout


def _classes(kind: type[AoError]) -> Iterator[type[AoError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == AoError.__module__:
            yield from _classes(child)


@pytest.mark.parametrize("kind", list(_classes(AoError)), ids=lambda kind: kind.__name__)
def test_every_error_class_has_its_own_row(kind: type[AoError]) -> None:
    assert kind in exits.STATUS


def test_scripts_can_tell_failure_conflict_and_timeout_apart() -> None:
    assert [exits.status_of(kind()) for kind in (RunFailed, Conflict, WaitTimeout)] == [1, 4, 124]


def test_unlisted_subclass_takes_the_status_of_its_parent() -> None:
    class Special(HomeInUse):
        """A home is in use in a special way."""

    assert exits.status_of(Special()) == exits.status_of(HomeInUse())
