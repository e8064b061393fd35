from hypothesis import given
from hypothesis import strategies as st

from ao.worker.lines import MAX_LINE_BYTES, LineSplitter
from ao.worker.redact import MARK, Redactor


def split(*chunks: bytes) -> list[list[object]]:
    splitter = LineSplitter()
    lines = [line for at, chunk in enumerate(chunks) for line in splitter.feed(chunk, at)]
    return lines + splitter.flush(99)


def test_lines_carry_the_time_when_they_were_complete() -> None:
    assert split(b"one\ntw", b"o\n") == [[0, "one"], [1, "two"]]


def test_a_line_without_a_newline_is_marked_partial() -> None:
    assert split(b"half") == [[99, "half", "partial"]]


def test_empty_lines_are_kept_and_carriage_returns_are_not() -> None:
    assert split(b"\n\r\na\r\n") == [[0, ""], [0, ""], [0, "a"]]


def test_a_character_that_is_cut_between_reads_survives() -> None:
    raw = "grün\n".encode()
    assert split(raw[:3], raw[3:]) == [[1, "grün"]]


def test_invalid_utf8_becomes_replacement_characters() -> None:
    assert split(b"a\xff\xfeb\n") == [[0, "a\ufffd\ufffdb"]]


def test_a_huge_line_keeps_its_beginning_and_says_what_was_cut() -> None:
    (line,) = split(b"x" * 1_000_000, b"\n")
    assert line[2] == "cut"
    assert str(line[1]).endswith(f"… [{1_000_000 - MAX_LINE_BYTES:,} bytes cut]")
    assert str(line[1]).count("x") == MAX_LINE_BYTES


@given(st.lists(st.binary(max_size=40)))
def test_chunk_borders_do_not_change_the_lines(chunks: list[bytes]) -> None:
    whole = [line[1] for line in split(b"".join(chunks))]
    assert [line[1] for line in split(*chunks)] == whole


def test_secrets_are_redacted_longest_first_and_line_by_line() -> None:
    redact = Redactor(["hunter2", "hunter2-and-more", "first line\nsecond line"])
    assert redact("hunter2-and-more hunter2") == f"{MARK} {MARK}"
    assert redact("got second line!") == f"got {MARK}!"


def test_very_short_secrets_do_not_redact_ordinary_words() -> None:
    assert Redactor(["a", ""])("banana") == "banana"
