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
    ao.ok("deploy", write(ao.cwd / "asker", "asker", ASKS))


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


FAILS = """
from ao_runner import step
def work(task):
    step.run("first", int)
    return step.run("second", lambda: 1 / task)
"""


def test_dead_letters_are_grouped_replayed_and_purged(ao: Ao) -> None:
    ao.ok("deploy", write(ao.cwd / "broken", "broken", FAILS, "max_retries = 0\n"))
    ao("run", "broken", "-i", "0", "--wait")
    ao("run", "broken", "-i", "0", "--wait")
    listed = ao.ok("dlq", "ls", "--agent", "broken")
    assert re.search(r"broken +2 .*ZeroDivisionError: division by zero", listed.out)
    assert "ao dlq replay --agent broken --fingerprint" in listed.err
    assert "there are more: -n 2" in ao.ok("dlq", "ls", "--each", "-n", "1").err
    each = ao.ok("dlq", "ls", "--each", "--json").json
    assert [item["step"] for item in each] == ["second", "second"]
    replayed = ao.ok("dlq", "replay", each[0]["run_id"], "--json").json
    ao("logs", replayed[0]["replay"], "-f")
    shown = ao.ok("show", replayed[0]["replay"], "--json").json
    assert shown["run"]["fork_of"] == each[0]["run_id"]
    assert [(step["path"], step["attempt"]) for step in shown["steps"]] == [("first", 0), ("second", 1)]
    said = ao.ok("dlq", "replay", "--agent", "broken", "-n", "1").err
    assert said == "1 replayed\nthere are more: the same command goes on with them\n"
    assert ao.ok("dlq", "replay", "--agent", "broken", "-n", "1").err.startswith("1 replayed\n")
    assert ao("dlq", "replay").status == ao("dlq", "replay", each[0]["run_id"], "--agent", "broken").status == 2
    assert ao("dlq", "purge", "--older-than", "soon").status == 2
    until(lambda: len(ao.ok("dlq", "ls", "--each", "--all", "--json").json) == 5)
    assert ao.ok("dlq", "purge", "--older-than", "1ms").err == "5 purged\n"
    assert ao.ok("dlq", "ls").err == "no dead letters\n"


def test_a_run_is_forked_from_a_step(ao: Ao) -> None:
    ao.ok("run", "thinker", "--wait")
    run = ao.ok("runs", "--agent", "thinker", "--json").json["items"][0]["id"]
    forked = ao.ok("fork", run, "--from", "tell").out.strip()
    assert ao.ok("logs", forked, "-f").status == 0
    assert f"{run}, from step tell" in ao.ok("show", forked).out
    steps = ao.ok("show", forked, "--json").json["steps"]
    assert [(step["path"], step["attempt"]) for step in steps][-1] == ("tell", 2)
    missing = ao("fork", run, "--from", "tel")
    assert (missing.status, "it has plan/think[one], tell" in missing.err) == (3, True)
