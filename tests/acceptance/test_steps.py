"""What the command shows and does of steps."""

import re
from pathlib import Path

import pytest
from tests.acceptance.command import Ao
from tests.platform import until

AGENT = """
import os
from ao_runner import step, span
def work(task):
    with span("plan"):
        step.run("think", lambda: 42, key="one")
    if os.environ["AO_ATTEMPT"] == "1":
        step.run("tell", lambda: 1 / 0)
    return step.run("tell", lambda: "told")
"""


def write(directory: Path, name: str, source: str, toml: str = "") -> str:
    directory.mkdir()
    settings = (
        f'name = "{name}"\nentrypoint = "agent:work"\n[retries]\ninitial_delay = "10ms"\njitter = false\n'
    )
    (directory / "ao.toml").write_text(settings + toml)
    (directory / "agent.py").write_text(source)
    return str(directory)


@pytest.fixture(scope="module", autouse=True)
def deployed(ao: Ao) -> None:
    ao.ok("deploy", write(ao.cwd / "thinker", "thinker", AGENT))


def test_steps_are_told_as_they_happen_and_drawn_as_a_tree_afterwards(ao: Ao) -> None:
    told = ao.ok("run", "thinker", "-f")
    assert re.search(r"▸ plan/think\[one\]\n  ✓ plan/think\[one\] \(\d", told.err)
    assert "✗ tell: ZeroDivisionError: division by zero" in told.err
    run = ao.ok("runs", "--agent", "thinker", "--json").json["items"][0]["id"]
    shown = ao.ok("show", run).out
    assert re.search(r"  ✓ plan \(span, .*\)\n    ✓ think\[one\] \(.*\)\n  ✓ tell \(.*attempt 2\)\n", shown)
    document = ao.ok("show", run, "--json").json
    assert [step["path"] for step in document["steps"]] == ["plan", "plan/think[one]", "tell"]


ASKS = """
from ao_runner import approve, ask
def work(task):
    if task:
        return ask("Which city?", schema={"type": "string"}, details={"options": ["Bern"]})
    return bool(approve("Send it?"))
"""


def paused(ao: Ao, agent: str, input: str) -> str:
    run = ao.ok("run", agent, "-i", input).out.strip()
    until(lambda: ao.ok("runs", "--state", "paused", "--json").json["items"])
    return str(run)


def test_a_question_is_listed_and_answered_with_the_command(ao: Ao) -> None:
    ao.ok("deploy", write(ao.cwd / "asker", "asker", ASKS))
    run = paused(ao, "asker", "true")
    listed = ao.ok("questions")
    assert "Which city?" in listed.out
    assert f"ao answer {run} 'ANSWER'" in listed.err
    shown = ao.ok("show", run).out
    assert "asker v1 is paused" in shown
    assert '{"options": ["Bern"]}' in shown
    wrong = ao("answer", run, "5")
    assert (wrong.status, "answer: 5 is not of type" in wrong.err) == (5, True)
    assert ao("answer", run).status == 2
    ao.ok("answer", run, "Bern", "--comment", "by train")
    assert ao.ok("logs", run, "-f").status == 0
    again = ao("answer", run, "Thun")
    assert (again.status, "has answered it" in again.err) == (4, True)
    assert ao.ok("questions").err.startswith("nothing waits")
    assert re.search(r"answered by key:local +Which city\?", ao.ok("questions", "--all").out)


def test_an_approval_is_given_with_a_flag(ao: Ao) -> None:
    run = paused(ao, "asker", "false")
    assert f"ao answer {run} --approve | --deny" in ao.ok("questions").err
    done = ao.ok("answer", run, "--deny", "--json").json
    assert (done["kind"], done["answer"]) == ("approval", False)
    followed = ao.ok("logs", run, "-f")
    assert followed.status == 0
    assert ao.ok("show", run, "--json").json["run"]["output"] is False
