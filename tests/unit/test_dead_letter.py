"""Which failures are alike."""

import pytest

from ao.domain.dead_letter import fingerprint
from ao.domain.outcome import ErrorInfo, OutcomeKind

TRACE = """Traceback (most recent call last):
  File "/home/ao/releases/sha256-{release}/agent.py", line {line}, in work
    fetch(url)
  File "/home/ao/releases/sha256-{release}/web.py", line 9, in {function}
    raise ConnectionError(url)
  File "/home/ao/envs/x/lib/python3.11/site-packages/httpx.py", line 3, in get
ConnectionError: {url}
"""


def error(
    message: str = "ConnectionError: x",
    *,
    kind: OutcomeKind = OutcomeKind.ERROR,
    type: str = "ConnectionError",
    trace: str = "",
    step: str = "",
) -> ErrorInfo:
    return ErrorInfo(kind, message, type=type, traceback=trace, step=step)


def trace(release: str = "a1", line: int = 5, function: str = "fetch", url: str = "u") -> str:
    return TRACE.format(release=release, line=line, function=function, url=url)


def test_the_same_place_in_the_code_is_the_same_failure_whatever_the_release_line_and_message() -> None:
    one = fingerprint(error("ConnectionError: no answer from a", trace=trace(), step="get[a]"))
    two = fingerprint(error("ConnectionError: b refused", trace=trace("b2", 77, url="b"), step="get#3"))
    assert one.digest == two.digest


@pytest.mark.parametrize(
    "other",
    [
        error(trace=trace(function="post")),
        error(trace=trace(), type="TimeoutError"),
        error(trace=trace(), kind=OutcomeKind.EXIT),
        error(trace=trace(), step="get"),
        error(),
    ],
)
def test_another_place_type_kind_or_step_is_another_failure(other: ErrorInfo) -> None:
    assert fingerprint(other).digest != fingerprint(error(trace=trace())).digest


@pytest.mark.parametrize(
    ("message", "alike"),
    [
        ("out of memory: 1,024 of 1,000 MiB", "out of memory: 2 of 1 MiB"),
        (
            "no order 01936f2e-9c4b-7d3a-8f00-0123456789ab\nmore",
            "no order deadbeef01",
        ),
        ("commit deadbeef01 is gone", "commit 0badf00d02 is gone"),
        ("the cafe is closed", "the cafe is closed\nfor today"),
    ],
)
def test_numbers_and_ids_do_not_count(message: str, alike: str) -> None:
    found = fingerprint(error(message, kind=OutcomeKind.OUT_OF_MEMORY, type=""))
    assert found.digest == fingerprint(error(alike, kind=OutcomeKind.OUT_OF_MEMORY, type="")).digest


def test_the_title_is_the_first_line_as_it_was_without_what_drives_a_terminal() -> None:
    assert fingerprint(error("HTTPError: \x1b[31m401\x1b[0m for a\0b\nmore")).title == "HTTPError: 401 for ab"
