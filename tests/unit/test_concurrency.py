"""Concurrency keys: where they come from, and what a run that waits for one is told."""

import pytest
from pydantic import JsonValue

from ao.control.concurrency import share_of
from ao.control.waiting import gate_sentence
from ao.domain.agent_config import Concurrency
from ao.domain.errors import InvalidInput
from ao.ids import RunId
from ao.store.gates import Gate, Hold, Wait


def concurrency(**fields: object) -> Concurrency:
    return Concurrency.model_validate(fields)


class TestKeys:
    def test_the_key_that_was_asked_for_wins_over_the_one_in_the_input(self) -> None:
        rule = concurrency(limit=2, key="customer.id")
        share = share_of("support", rule, "asked", {"customer": {"id": "found"}})
        assert (share.key, share.gates) == ("asked", (Gate("key:support:asked", 2, Hold.RUNNING),))

    @pytest.mark.parametrize(("value", "key"), [("acme", "acme"), (7, "7"), (1.5, "1.5"), (True, "true")])
    def test_it_is_found_in_the_input_by_its_path(self, value: JsonValue, key: str) -> None:
        share = share_of("support", concurrency(limit=1, key="customer.id"), None, {"customer": {"id": value}})
        assert share.key == key

    @pytest.mark.parametrize("value", [{}, {"customer": None}, {"customer": {"id": ""}}, "text", [1], None])
    def test_runs_without_a_key_share_the_limit_too(self, value: JsonValue) -> None:
        share = share_of("support", concurrency(limit=1, key="customer.id"), None, value)
        assert (share.key, share.gates) == (None, (Gate("key:support:", 1, Hold.RUNNING),))

    def test_without_a_limit_there_is_no_gate(self) -> None:
        assert share_of("support", concurrency(), "acme", {}).gates == ()
        assert share_of("support", concurrency(key="id"), None, {"id": "acme"}).key == "acme"

    @pytest.mark.parametrize(
        ("value", "why"), [({"a": 1}, "is no text"), ([1], "is no text"), ("x" * 256, "255")]
    )
    def test_what_cannot_be_a_key_is_refused_with_its_field(self, value: JsonValue, why: str) -> None:
        with pytest.raises(InvalidInput, match=why) as caught:
            share_of("support", concurrency(limit=1, key="customer.id"), None, {"customer": {"id": value}})
        assert [problem.field for problem in caught.value.problems] == ["input.customer.id"]


class TestSentences:
    def test_it_says_for_whom_a_run_waits_and_why(self) -> None:
        runs = [RunId(name) for name in "abcde"]
        assert gate_sentence(Wait("key:support:acme", 1, runs[:1], 0)) == (
            "it waits for a: one run goes on at a time of support with the concurrency key acme"
        )
        assert gate_sentence(Wait("key:support:", 5, runs, 7)) == (
            "it waits for a, b, c and 2 more: 5 runs go on at a time of support; in the queue before it: 7"
        )
        assert gate_sentence(Wait("session:s1", 1, runs[:1], 0)) == (
            "it waits for a: one run goes on at a time of session s1"
        )
