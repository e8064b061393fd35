"""The picture of a run: rows, bars and an axis on which waiting is cut short."""

import pytest

from ao.dashboard.waterfall import Row, Span, draw

SECOND = 1_000_000


def row(*spans: tuple[str, float, float | None], name: str = "Attempt 1") -> Row:
    made = [
        Span(kind, int(start * SECOND), None if end is None else int(end * SECOND), kind)
        for kind, start, end in spans
    ]
    return Row(name, made)


def test_bars_are_where_their_time_is() -> None:
    picture = draw([row(("queue", 0, 1), ("ok", 1, 4))], 9 * SECOND)
    queue, work = picture.lines[0].bars
    assert (queue.x, queue.width) == (0, 25)
    assert (work.x, work.width) == (25, 75)
    assert work.label == "ok: 3.00 s"
    assert picture.lines[0].took_us == 3 * SECOND
    assert not picture.is_open


def test_what_goes_on_reaches_to_the_right_edge() -> None:
    picture = draw([row(("run", 0, None))], 8 * SECOND)
    (bar,) = picture.lines[0].bars
    assert (bar.x, bar.width, bar.open) == (0, 100, True)
    assert picture.lines[0].since_us == 0
    assert picture.width_us == 8 * SECOND


def test_a_long_wait_is_cut_and_says_how_long_it_was() -> None:
    rows = [row(("bad", 0, 10)), row(("delay", 10, 3610), ("ok", 3610, 3620))]
    picture = draw(rows, 0)
    assert picture.width_us == pytest.approx(20 * SECOND + 0.12 * 20 * SECOND, rel=0.01)
    assert [label for _, label in picture.cuts] == ["1 h"]
    delay, work = picture.lines[1].bars
    assert delay.x == pytest.approx(44.6, abs=0.1)
    assert work.x + work.width == pytest.approx(100, abs=0.1)
    assert all(x < delay.x + 1 for x, _ in picture.ticks)


def test_a_short_wait_is_drawn_as_it_was() -> None:
    picture = draw([row(("bad", 0, 10)), row(("delay", 10, 11), ("ok", 11, 20))], 0)
    assert picture.cuts == []
    assert picture.width_us == 20 * SECOND


def test_only_waiting_is_drawn_in_full() -> None:
    picture = draw([row(("queue", 0, None))], 600 * SECOND)
    assert picture.cuts == []
    assert picture.lines[0].bars[0].width == 100


def test_nothing_is_too_short_to_be_seen() -> None:
    picture = draw([row(("ok", 0, 1000)), row(("ok", 1000, 1000.0001))], 0)
    assert all(bar.width >= 0.3 and bar.x + bar.width <= 100.1 for line in picture.lines for bar in line.bars)


def test_rows_beyond_the_limit_are_counted_not_drawn() -> None:
    picture = draw([row(("ok", second, second + 1)) for second in range(700)], 0, limit=500)
    assert len(picture.lines) == 500
    assert picture.hidden == 200


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.05, ["0", "10 ms", "20 ms", "30 ms", "40 ms"]),
        (2.4, ["0", "500 ms", "1 s", "1.5 s", "2 s"]),
        (5, ["0", "1 s", "2 s", "3 s", "4 s"]),
        (100, ["0", "30 s", "1 min", "1:30 min"]),
        (36_000, ["0", "2 h", "4 h", "6 h", "8 h"]),
    ],
)
def test_ticks_are_round(seconds: float, labels: list[str]) -> None:
    assert [label for _, label in draw([row(("ok", 0, seconds))], 0).ticks] == labels
