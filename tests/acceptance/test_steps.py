"""What the command shows and does of steps."""

import re
from pathlib import Path

import pytest
from tests.acceptance.command import Ao

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
