"""`ao assistants`, and runs of them, as users type it."""

import json
import re
from pathlib import Path

import pytest
from tests.acceptance.command import Ao

AGENT = """
import ao_runner
def work(task):
    return [ao_runner.model("fast"), ao_runner.prompt("prompts/tone.md")]
"""
TOML = 'name = "writer"\nentrypoint = "agent:work"\n[models]\nfast = "openai/small"\n'


@pytest.fixture(scope="module", autouse=True)
def deployed(ao: Ao) -> None:
    project = ao.cwd / "writer"
    (project / "prompts").mkdir(parents=True)
    (project / "ao.toml").write_text(TOML)
    (project / "agent.py").write_text(AGENT)
    (project / "prompts" / "tone.md").write_text("Kind.")
    ao.ok("deploy", "writer")


def test_an_assistant_is_made_run_changed_compared_and_set_back(ao: Ao) -> None:
    (ao.cwd / "tone.md").write_text("Dry.")
    made = ao.ok("assistants", "create", "dry", "--agent", "writer", "--prompt", "prompts/tone.md=@tone.md")
    assert "dry v1 runs writer" in made.err
    assert json.loads(ao.ok("run", "dry", "--wait").out) == ["openai/small", "Dry."]
    updated = ao.ok(
        "assistants", "update", "dry", "--model", "fast=openai/tiny", "--timeout", "20s", "-m", "less"
    )
    assert "dry is v2 now" in updated.err
    assert json.loads(ao.ok("run", "--assistant", "dry", "--wait").out) == ["openai/tiny", "Dry."]
    run = ao.ok("runs", "--assistant", "dry", "--json").json["items"][0]["id"]
    shown = ao.ok("show", run).out
    assert "dry v2 (writer v1) is completed" in shown
    assert re.search(r"release +sha256:[0-9a-f]{64}, by the overrides of dry", shown)
    compared = ao.ok("assistants", "diff", "dry").out
    assert 'overrides.models.fast: null → "openai/tiny"' in compared
    ao.ok("assistants", "set-latest", "dry", "v1", "-m", "too small")
    assert json.loads(ao.ok("run", "dry", "--wait").out) == ["openai/small", "Dry."]
    assert json.loads(ao.ok("run", "dry", "--assistant-version", "2", "--wait").out)[0] == "openai/tiny"
    history = ao.ok("assistants", "history", "dry").out
    assert re.search(r"v1 +set latest +v2 +\S+ ago +key:local +too small", history)
    assert json.loads(ao.ok("run", "writer", "--wait").out) == ["openai/small", "Kind."]
    assert re.search(r"dry +writer +v1 +prod +prompts", ao.ok("assistants", "list").out)
    assert re.search(r"writer +writer +own", ao.ok("assistants", "list").out)


def test_a_file_is_the_whole_assistant(ao: Ao) -> None:
    (ao.cwd / "short.md").write_text("Short.")
    file: Path = ao.cwd / "short.toml"
    file.write_text(
        'name = "short"\nagent = "writer"\ndescription = "Says little"\n[overrides]\ntimeout = "9s"\n'
        '[overrides.prompts]\n"prompts/tone.md" = { file = "short.md" }\n'
    )
    ao.ok("assistants", "create", "short", "--file", str(file))
    assert json.loads(ao.ok("run", "short", "--wait").out)[1] == "Short."
    again = ao.ok("assistants", "update", "short", "--file", str(file))
    assert "short v1 says that already" in again.err
    file.write_text('description = "Says less"\n[overrides]\nretries = 1\n')
    shown = ao.ok("assistants", "update", "short", "--file", str(file), "--json").json
    assert shown["config"]["overrides"] == {"retries": {"max_retries": 1}}
    removed = ao.ok("assistants", "update", "short", "--unset", "retries", "--json").json
    assert (removed["version"], removed["config"]["overrides"]) == (3, {})
    ao.ok("assistants", "delete", "short")
    refused = ao("run", "short")
    assert (refused.status, "is archived" in refused.err) == (4, True)


def test_mistakes_are_told_with_what_was_meant(ao: Ao) -> None:
    refused = ao("assistants", "create", "wrong", "--agent", "writer", "--model", "fats=openai/tiny")
    assert (refused.status, "did you mean fast?" in refused.err) == (5, True)
    taken = ao("assistants", "create", "writer", "--agent", "writer")
    assert (taken.status, "every agent has an assistant of its own name" in taken.err) == (4, True)
    own = ao("assistants", "update", "writer", "--timeout", "3s")
    assert (own.status, "own assistant" in own.err) == (4, True)
    assert ao("assistants", "create", "wrong").status == 2
    assert ao("assistants", "update", "writer").status == 2
    assert ao("assistants", "show", "wrong").status == 3
    assert ao("run").status == 2
    assert ao("run", "writer", "--assistant", "writer").status == 2
    missing = ao("run", "writter")
    assert (missing.status, "Did you mean writer?" in missing.err) == (3, True)
    pinned = ao("run", "--assistant", "writer", "--version", "v1")
    assert (pinned.status, "leave it out" in pinned.err) == (5, True)
