"""Answers as bytes, and cursors."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ao.domain.errors import InvalidInput
from ao.domain.event import EventKind
from ao.server.replies import cursor, encode, read_cursor
from ao.wire.schemas import EventView, PointerMoveView

AT = datetime(2026, 11, 20, 18, 12, 15, 639255, tzinfo=UTC)


def event(value: Any) -> EventView:
    return EventView.model_construct(seq=1, kind=EventKind.OUTPUT, at=AT, data={"value": value})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_json_value_survives(value: object) -> None:
    assert json.loads(encode(event(value)))["data"]["value"] == value


def test_a_lone_surrogate_in_an_output_leaves_as_it_came() -> None:
    plain, odd = (json.loads(encode(event(text))) for text in ("x", "\ud800"))
    assert odd["data"]["value"] == "\ud800"
    assert {**odd, "data": None} == {**plain, "data": None}


def test_names_that_are_keywords_leave_under_their_own_name() -> None:
    move = PointerMoveView.model_construct(
        agent="a", environment="prod", pointer="stable", frm=1, to=2, reason="\udfff", actor="k", at=AT
    )
    assert json.loads(encode(move))["from"] == 1


@pytest.mark.parametrize("position", ["01936f2e-9c4b-7d3a-8f00-0123456789ab", 7])
def test_a_cursor_comes_back(position: str | int) -> None:
    assert read_cursor(cursor(position)) == str(position)
    assert read_cursor(None) is None


@pytest.mark.parametrize("text", ["!", "a", "_w", "ä", "====", " "])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_cursor(text)
