"""The agent without AO: a session is a plain value then."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from ao_runner import session

_spec = importlib.util.spec_from_file_location("notes", Path(__file__).parents[1] / "agent.py")
assert _spec is not None
assert _spec.loader is not None
agent = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(agent)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    session.reset()
    yield
    session.reset()


def reply(text: str) -> object:
    return agent.chat({"text": text})["reply"]


def test_it_remembers_facts() -> None:
    assert reply("What is the code?") == "You have not told me what the code is."
    reply("remember the code is 7433")
    assert reply("what is the code?") == "the code is 7433."
    assert reply("forget the code") == "I forgot the code."
    assert [message["role"] for message in session.messages][:2] == ["user", "assistant"]


def test_it_goes_on_from_an_earlier_talk() -> None:
    session.reset(state={"facts": {"the code": "1"}}, messages=[{"role": "user", "content": "hi"}])
    assert reply("what is the code?") == "the code is 1."
    assert len(session.messages) == 3


def test_notes_are_files() -> None:
    assert reply("notes") == "There are no notes yet."
    reply("note buy milk")
    assert "buy milk" in str(reply("notes"))
