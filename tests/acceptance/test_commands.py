"""Each command's JSON and its talk; what runs are is tested elsewhere."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from tests.acceptance.command import Ao
from tests.acceptance.projects import project

from ao.cli.registry import COMMANDS


@pytest.fixture(scope="module", autouse=True)
def deployed(ao: Ao) -> None:
    ao.ok("deploy", str(project(ao.cwd / "echo", "echo", extra='secrets = ["TOKEN"]\ncron = "0 3 * * *"')))


def test_help_lists_every_command_with_its_summary(alone: Ao) -> None:
    text = alone.ok("--help").out
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entry.summary)}$", text, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(alone: Ao, name: str) -> None:
    assert alone.ok(name, "--help").out.startswith(f"Usage: ao {name} ")


def test_init_where_nothing_can_be_made_names_the_place(alone: Ao) -> None:
    refused = alone("init", "/proc/nowhere")
    assert (refused.status, "/proc/nowhere cannot be made" in refused.err) == (5, True)
    assert "--name bad-name" in alone("init", "Bad Name").err


def test_version_as_text_and_json(alone: Ao) -> None:
    assert re.fullmatch(r"ao \d+\.\d+\.\d+ \(Python 3\.\d+\.\d+, \w+\)\n", alone.ok("version").out)
    assert alone.ok("--version").out == alone.ok("version").out
    assert set(alone.ok("version", "--json").json) == {"ao", "python", "platform"}


def test_secret_goes_in_by_stdin_and_never_comes_out(ao: Ao) -> None:
    missing = ao("run", "echo", "--wait")
    assert missing.status == 1
    assert "TOKEN" in missing.err
    stored = ao.ok("secrets", "set", "TOKEN", "--json", stdin="s3cret-value-1\n")
    assert (stored.json["name"], stored.json["version"]) == ("TOKEN", 1)
    assert "s3cret" not in stored.out + stored.err
    assert ao.ok("secrets", "set", "TOKEN", "--json", stdin="s3cret-value-2\n").json["version"] == 2
    listed = ao.ok("secrets", "list")
    assert re.search(r"TOKEN\s+all agents\s+2", listed.out)
    assert "s3cret" not in listed.out
    run = ao.ok("run", "echo", "--wait", "--json")
    assert run.json["state"] == "completed"
    assert ao("secrets", "set", "EMPTY", stdin="").status == 2
    ao.ok("secrets", "rm", "TOKEN")
    assert ao.ok("secrets", "list", "--json").json == []


def test_schedule_of_the_live_version_is_listed(ao: Ao) -> None:
    (schedule,) = ao.ok("schedules", "list", "--json").json
    assert (schedule["agent"], schedule["cron"], schedule["timezone"]) == ("echo", "0 3 * * *", "UTC")
    listed = ao.ok("schedules", "list").out
    assert re.search(r"echo/cron\s+0 3 \* \* \*\s+UTC\s+skip\s+in \d+", listed)


def test_gc_says_what_it_would_remove(ao: Ao) -> None:
    would = ao.ok("gc", "--dry-run", "--json").json
    assert would["dry_run"] is True
    assert {"environments", "releases", "blobs", "freed_bytes"} <= set(would)
    assert "would remove" in ao.ok("gc", "--dry-run").err


def test_lists_are_pages_or_arrays_in_json(ao: Ao) -> None:
    assert [agent["name"] for agent in ao.ok("agents", "--json").json] == ["echo"]
    assert ao.ok("deployments", "echo", "--json").json["items"][0]["live"] is True
    page = ao.ok("runs", "--json", "--limit", "1").json
    assert set(page) == {"items", "next"}


def test_runs_are_filtered_by_agent_and_state(ao: Ao) -> None:
    assert ao.ok("runs", "--agent", "nobody", "--json").json["items"] == []
    failed = ao.ok("runs", "--state", "failed", "--json").json["items"]
    assert {run["state"] for run in failed} <= {"failed"}


def test_followed_events_are_json_lines(ao: Ao) -> None:
    ao.ok("secrets", "set", "TOKEN", stdin="x1y2z3")
    lines = ao.ok("run", "echo", "-f", "--json").out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["data"]["to"] == "completed"
    ao.ok("secrets", "rm", "TOKEN")


def test_logs_show_both_streams_and_the_tail(ao: Ao) -> None:
    ao.ok("secrets", "set", "TOKEN", stdin="x1y2z3")
    run_id = ao.ok("run", "echo", "--wait", "--json").json["id"]
    text = ao.ok("logs", run_id).out
    assert "hello from echo" in text
    assert "careful" in text
    lines = [json.loads(line) for line in ao.ok("logs", run_id, "--json").out.splitlines()]
    assert {(line["stream"], line["text"]) for line in lines} == {
        ("stdout", "hello from echo"),
        ("stderr", "careful"),
    }
    assert len(ao.ok("logs", run_id, "--tail", "1").out.splitlines()) == 1
    ao.ok("secrets", "rm", "TOKEN")


def test_no_escape_sequences_without_a_terminal(ao: Ao) -> None:
    for arguments in (("runs",), ("agents",), ("doctor",), ("deployments", "echo"), ("--help",)):
        result = ao.ok(*arguments)
        assert "\x1b" not in result.out + result.err


def test_tables_fold_on_a_narrow_terminal_and_not_in_a_pipe(ao: Ao) -> None:
    ours, theirs = pty.openpty()
    env = {**ao.env, "COLUMNS": "60", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "ao.cli", "runs"]
    ao.ok("run", "echo")
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run(command, env=env, stdout=theirs, check=True)
        shown = terminal.read(65536).decode().splitlines()
        os.close(theirs)
    assert max(map(len, shown)) <= 60
    assert any(line.startswith("    ") for line in shown)
    piped = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    assert not any(line.startswith(" ") for line in piped)


def test_doctor_works_without_a_server_and_names_what_is_missing(alone: Ao) -> None:
    report = alone.ok("doctor", "--json", "--url", "http://127.0.0.1:9").json
    checks = {check["name"]: check for check in report["checks"]}
    assert {"settings", "home", "disk", "python", "sandbox", "server"} <= set(checks)
    assert checks["server"]["status"] == "warning"
    assert "ao up" in checks["server"]["hint"]
    assert not alone.home.exists()


def test_doctor_fails_on_a_mistaken_variable(alone: Ao) -> None:
    wrong = alone("doctor", AO_PORTT="1")
    assert wrong.status == 1
    assert "AO_PORTT" in wrong.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_the_command(alone: Ao, shell: str) -> None:
    assert "_AO_COMPLETE" in alone.ok("completion", shell).out


def test_bash_completes_commands_and_options(alone: Ao) -> None:
    def completed(words: str) -> list[str]:
        env = {
            **alone.env,
            "_AO_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        command = [sys.executable, "-m", "ao.cli"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        return done.stdout.split()

    assert completed("ao dep") == ["deploy", "deployments"]
    assert "--follow" in completed("ao run --f")
    assert completed("ao secrets ") == ["set", "list", "rm"]
