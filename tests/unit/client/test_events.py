"""Event streams as bytes, in any pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ao.client.events import Frame, Parser, Stream
from ao.client.retry import TRIES, Retry
from ao.client.target import Target
from ao.client.wire import Answer, Call, LostConnection
from ao.domain.errors import NotFound
from ao.wire.problems import encode, to_problem

TARGET = Target("http://127.0.0.1:1/base", "a test", "ao_key")
CALL: Call[object] = Call("GET", "/v1/x", lambda body: body, {"after": 0, "none": None})
TEXT = b": heartbeat\n\nevent: a\nid: 1\ndata: {}\n\nevent: b\nid: 2\ndata: x\ndata: y\n\n: end\n\n"
FRAMES = [Frame("a", "1", b"{}"), Frame("b", "2", b"x\ny")]


@given(st.lists(st.integers(0, len(TEXT)), max_size=8))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TEXT)]
    parser = Parser()
    got = [frame for a, b in pairwise(edges) for frame in parser.feed(TEXT[a:b])]
    assert got == FRAMES
    assert parser.ended


def test_a_stream_without_its_end_has_not_ended() -> None:
    parser = Parser()
    assert list(parser.feed(TEXT.removesuffix(b": end\n\n"))) == FRAMES
    assert not parser.ended


def test_a_stream_goes_on_after_the_last_event_and_drops_repeats() -> None:
    stream = Stream(CALL, lambda frame: frame.id)
    assert stream.request(TARGET).headers["last-event-id"] == "0"
    assert list(stream.feed(b"event: a\nid: 1\ndata: {}\n\nevent: a\nid: 2\ndata: {")) == ["1"]
    request = stream.request(TARGET)
    assert request.headers["last-event-id"] == "1"
    assert request.path == "/base/v1/x?after=0"
    assert list(stream.feed(TEXT)) == ["2"]
    assert stream.ended


def test_the_error_in_place_of_a_stream_is_raised() -> None:
    answer = Answer(404, "application/problem+json", encode(to_problem(NotFound("gone"))))
    with pytest.raises(NotFound, match="gone"):
        Stream(CALL, lambda frame: frame).check(answer)


def test_a_repeatable_call_is_tried_until_a_restart_is_over() -> None:
    retry = Retry()
    lost = LostConnection("cut", refused=False)
    delays = [retry.after(CALL, lost) for _ in range(TRIES)]
    assert all(delay is not None and 0 < delay <= 5 for delay in delays[:-1])
    assert 10 < sum(delay for delay in delays if delay is not None) < 40
    assert delays[-1] is None


def test_a_call_that_may_have_had_its_effect_is_not_repeated() -> None:
    call: Call[object] = Call("POST", "/v1/x", lambda body: body, repeatable=False)
    assert Retry().after(call, LostConnection("cut", refused=False)) is None


def test_nobody_there_is_news_at_once_but_a_restart_is_waited_for() -> None:
    retry = Retry()
    assert retry.after(CALL, LostConnection("refused", refused=True)) is None
    assert retry.after(CALL, LostConnection("cut", refused=False)) is not None
    assert retry.after(CALL, LostConnection("refused", refused=True)) is not None
