"""Outside of AO steps are plain calls."""

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("refunds", Path(__file__).parents[1] / "agent.py")
assert _spec is not None
assert _spec.loader is not None
agent = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(agent)


def test_a_small_refund_is_paid_at_once() -> None:
    assert agent.refund({"order": "A-1", "cents": 100})["approved_by"] == "policy"


def test_a_large_one_is_not_paid_without_a_person() -> None:
    with pytest.raises(RuntimeError, match="needs a run of AO"):
        agent.refund({"order": "A-1", "cents": 100_000})
