"""One exit status for every error class."""

import errno
from collections.abc import Iterator

import pytest

from ao.cli import exits, main
from ao.domain.errors import AoError, Conflict, HomeInUse, InvalidConfig, RunFailed, WaitTimeout


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


def test_a_file_that_is_not_the_users_is_named_and_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/home/ao/server.json")

    monkeypatch.setattr(main, "root", refused)
    with pytest.raises(SystemExit) as ended:
        main.main(["down"])
    assert ended.value.code == exits.status_of(InvalidConfig())
    assert "error: /home/ao/server.json cannot be used: Permission denied\nhint: " in capsys.readouterr().err
