"""The agent as plain Python: no AO is needed to test one."""

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("support_triage", Path(__file__).parents[1] / "agent.py")
assert _spec is not None
assert _spec.loader is not None
agent = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(agent)


def test_first_attempt_fails_as_the_directory_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AO_ATTEMPT", "1")
    with pytest.raises(ConnectionError):
        agent.triage({})


def test_second_attempt_sorts_the_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AO_ATTEMPT", "2")
    monkeypatch.setenv("AO_LAST_ERROR", "ConnectionError: out")
    result = agent.triage({})
    assert result["queues"] == {"billing": 1, "access": 1, "incident": 1, "general": 1}
    assert result["urgent"] == ["103"]
    assert result["recovered_from"] == "ConnectionError: out"


def test_words_in_code_blocks_do_not_count() -> None:
    ticket = agent.read_ticket(Path(__file__).parents[1] / "data" / "tickets" / "103.md")
    assert "payment" not in ticket["text"]
