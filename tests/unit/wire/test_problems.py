"""Errors over HTTP: every class has a row, and what goes out comes back in."""

import inspect
import json
from pathlib import Path

import pytest

from ao.domain import errors
from ao.domain.errors import AoError, IdempotencyConflict, InternalError, NotFound, Problem, Unavailable
from ao.wire.problems import MEDIA_TYPE, STATUS, encode, from_response, status_of, to_problem

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, AoError)]


def test_every_error_class_has_a_status_of_its_own() -> None:
    assert set(STATUS) == set(CLASSES)


def test_every_code_names_one_class() -> None:
    assert len({cls.code for cls in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_comes_back_as_what_it_was(kind: type[AoError]) -> None:
    sent = kind(
        "what happened",
        hint="what to do",
        details={"run_id": "r", "nested": {"n": [1, None]}},
        problems=[Problem("a.b", "is wrong", "write c", 3), Problem("d", "too")],
    )
    document = to_problem(sent)
    assert document["type"] == f"urn:ao:problem:{kind.code}"
    back = from_response(status_of(sent), f"{MEDIA_TYPE}; charset=utf-8", encode(document))
    assert type(back) is kind
    assert (back.message, back.hint, back.details, back.problems) == (
        sent.message,
        sent.hint,
        sent.details,
        sent.problems,
    )


def test_a_code_of_a_newer_server_becomes_the_class_of_its_status() -> None:
    document = {**to_problem(NotFound("gone")), "code": "brand_new"}
    back = from_response(404, MEDIA_TYPE, encode(document))
    assert type(back) is NotFound
    assert back.message == "gone"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b"\xff"])
def test_what_is_no_problem_document_still_becomes_an_error(body: bytes) -> None:
    assert type(from_response(503, "text/html", body)) is Unavailable
    assert type(from_response(503, MEDIA_TYPE, body)) is Unavailable
    assert type(from_response(599, "", body)) is InternalError


def test_details_that_are_not_json_do_not_stop_the_report() -> None:
    document = json.loads(encode(to_problem(IdempotencyConflict("x", details={"path": Path("/a")}))))
    assert document["details"] == {"path": "/a"}


def test_odd_fields_of_a_document_are_survived() -> None:
    document = {"code": 5, "detail": None, "hint": [], "details": "x", "problems": [1, {"line": "x"}]}
    back = from_response(409, MEDIA_TYPE, encode(document))
    assert back.problems == (Problem("", ""), Problem("", ""))
