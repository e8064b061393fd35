"""Forms made from JSON Schemas, and what was filled in as an answer."""

from typing import Any

import pytest

from ao.dashboard.answer_form import Control, fields_of, read, with_problems
from ao.domain.errors import InvalidInput, Problem

REFUND = {
    "type": "object",
    "required": ["cents", "tone"],
    "properties": {
        "cents": {"type": "integer", "minimum": 1, "description": "What goes back"},
        "tone": {"enum": ["warm", "formal"]},
        "again": {"type": "boolean", "default": False},
        "note": {"type": "string", "maxLength": 80, "title": "A note"},
        "lines": {"type": "array"},
    },
}


@pytest.mark.parametrize(
    ("schema", "control"),
    [
        (None, Control.ANYTHING),
        (True, Control.ANYTHING),
        ({"type": "string"}, Control.TEXT),
        ({"type": "string", "maxLength": 40}, Control.LINE),
        ({"type": "number"}, Control.NUMBER),
        ({"type": "boolean"}, Control.CHOICE),
        ({"enum": ["a", 2, None]}, Control.CHOICE),
        ({"enum": list(range(30))}, Control.LIST),
        ({"const": 1}, Control.CHOICE),
        ({"enum": [{"a": 1}]}, Control.JSON),
        ({"type": ["string", "null"]}, Control.JSON),
        ({"anyOf": [{"type": "string"}]}, Control.JSON),
        ({"type": "object"}, Control.JSON),
    ],
)
def test_a_plain_schema_has_one_control(schema: object, control: Control) -> None:
    (field,) = fields_of(schema)
    assert (field.name, field.control) == ("answer", control)


def test_an_object_has_a_control_for_each_property() -> None:
    fields = fields_of(REFUND)
    assert [(field.name, field.control, field.required) for field in fields] == [
        ("answer.cents", Control.NUMBER, True),
        ("answer.tone", Control.CHOICE, True),
        ("answer.again", Control.CHOICE, False),
        ("answer.note", Control.LINE, False),
        ("answer.lines", Control.JSON, False),
    ]
    assert fields[0].limits == {"step": 1, "min": 1}
    assert (fields[0].about, fields[3].label, fields[2].value) == ("What goes back", "A note", "false")


@pytest.mark.parametrize(
    ("schema", "filled", "answer"),
    [
        (None, {"answer": "Paris"}, "Paris"),
        (None, {"answer": '{"a": 1}'}, {"a": 1}),
        ({"type": "string"}, {"answer": "12"}, "12"),
        ({"type": "string"}, {"answer": "two\r\nlines"}, "two\nlines"),
        ({"type": "integer"}, {"answer": "12"}, 12),
        ({"type": "boolean"}, {"answer": "false"}, False),
        ({"enum": ["a", None]}, {"answer": "null"}, None),
        (
            REFUND,
            {"answer.cents": "5", "answer.tone": '"warm"', "answer.note": ""},
            {"cents": 5, "tone": "warm"},
        ),
    ],
)
def test_what_was_filled_in_is_the_answer(schema: object, filled: dict[str, str], answer: object) -> None:
    assert read(fields_of(schema), filled) == answer


@pytest.mark.parametrize(
    ("filled", "problems"),
    [
        ({"answer.tone": '"warm"'}, {"answer.cents": "is needed"}),
        ({"answer.cents": "x", "answer.tone": '"warm"'}, {"answer.cents": "is not JSON"}),
        ({"answer.cents": "1", "answer.tone": '"a"', "answer.lines": "["}, {"answer.lines": "is not JSON"}),
        ({"answer.cents": "true", "answer.tone": '"a"'}, {"answer.cents": "is not a number"}),
    ],
)
def test_what_is_wrong_is_told_at_its_field(filled: dict[str, str], problems: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(fields_of(REFUND), filled)
    fields, rest = with_problems(fields_of(REFUND), filled, refused.value.problems)
    assert rest == []
    assert {field.name: field.problem.partition(":")[0] for field in fields if field.problem} == problems
    assert {field.name: field.value for field in fields if field.value} == filled


def test_what_the_schema_refuses_is_told_at_the_nearest_field() -> None:
    found: list[Problem] = [Problem("answer.lines.2", "is no number"), Problem("answer", "is no pair")]
    fields, rest = with_problems(fields_of(REFUND), {}, found)
    assert next(field.problem for field in fields if field.problem) == "2: is no number"
    assert [problem.message for problem in rest] == ["is no pair"]


def test_a_schema_that_is_no_object_of_plain_things_takes_json() -> None:
    schema: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}
    (field,) = fields_of(schema)
    assert read([field], {"answer": "[1, 2]"}) == [1, 2]
