"""A conversation over the command: what is said in one run is known in the next."""

import json
from pathlib import Path

from tests.acceptance.command import Ao
from tests.platform import until

NOTES = Path(__file__).resolve().parents[2] / "examples" / "notes"


def say(ao: Ao, text: str, session: str = "ada") -> str:
    words = json.dumps({"text": text})
    run = ao.ok("run", "notes", "--session", session, "-i", words, "--wait", "--json").json
    return str(run["output"]["reply"])


def test_the_example_remembers_what_it_was_told(ao: Ao, tmp_path: Path) -> None:
    ao.ok("deploy", str(NOTES))
    say(ao, "remember the code is 7433")
    assert say(ao, "what is the code?") == "the code is 7433."
    assert "not told me" in say(ao, "what is the code?", "bob")
    say(ao, "note buy milk")
    assert "buy milk" in ao.ok("sessions", "workspace", "notes", "ada", "notes.md").out
    assert "remember the code" in ao.ok("sessions", "messages", "notes", "ada").out
    shown = ao.ok("sessions", "show", "notes", "ada", "--json").json
    assert (shown["messages"], shown["state"]) == (6, {"facts": {"the code": "7433"}})
    listed = ao.ok("sessions", "list", "--agent", "notes", "--json").json["items"]
    assert [item["id"] for item in listed] == ["ada", "bob"]
    ao.ok("sessions", "restore", "notes", "ada", "--to", "1")
    assert "not told me" in say(ao, "what is the code?")
    copied = ao.ok("sessions", "copy", "notes", "ada", "carl", "--at", "3").out.strip()
    assert say(ao, "what is the code?", copied) == "the code is 7433."
    history = ao.ok("sessions", "history", "notes", "carl", "--json").json["items"]
    assert [item["change"] for item in history] == ["run", "run", "copied"]
    ao.ok("sessions", "workspace", "notes", "carl", "--upload", str(NOTES / "tests"))
    ao.ok("sessions", "workspace", "notes", "carl", "--download", str(tmp_path / "down"))
    assert (tmp_path / "down" / "test_agent.py").read_bytes() == (NOTES / "tests/test_agent.py").read_bytes()
    ao.ok("sessions", "delete", "notes", "carl")
    assert ao("sessions", "show", "notes", "carl").status == 3
    assert len(ao.ok("runs", "--agent", "notes", "--session", "ada", "--json").json["items"]) == 4


def test_a_session_in_use_is_a_conflict_and_wrong_use_says_so(ao: Ao, tmp_path: Path) -> None:
    (tmp_path / "ao.toml").write_text('name = "asker"\nentrypoint = "agent:work"\n')
    (tmp_path / "agent.py").write_text("from ao_runner import ask\ndef work(task): return ask('Which?')\n")
    ao.ok("deploy", str(tmp_path))
    first = ao.ok("run", "asker", "--session", "s").out.strip()
    refused = ao("run", "asker", "--session", "s", "--on-overlap", "reject")
    assert (refused.status, first in refused.err) == (4, True)
    second = ao.ok("run", "asker", "--session", "s", "--on-overlap", "interrupt").out.strip()
    until(lambda: ao.ok("show", first, "--json").json["run"]["state"] == "cancelled")
    assert ao("sessions", "delete", "asker", "s").status == 4
    assert second in ao.ok("sessions", "delete", "asker", "s", "--force").err
    assert ao.ok("show", second, "--json").json["run"]["session"] == "s"
    assert ao("run", "asker", "--session", "a b").status == 5
    assert ao("run", "asker", "--on-overlap", "reject").status == 2
