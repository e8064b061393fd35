"""Scripts can rely on the exit status and on JSON errors."""

import signal
from pathlib import Path

import pytest
from tests.acceptance.command import Ao
from tests.acceptance.projects import project


@pytest.fixture(scope="module", autouse=True)
def echo(ao: Ao) -> None:
    ao.ok("deploy", str(project(ao.cwd / "echo", "echo", extra="timeout = 30")))


def test_completed_run_is_0_and_prints_its_result(ao: Ao) -> None:
    done = ao("run", "echo", "-i", '{"a": [1, "ä"]}', "--wait", "--json")
    assert (done.status, done.json["output"]["echo"]) == (0, {"a": [1, "ä"]})


def test_failed_run_is_1_and_says_why(ao: Ao) -> None:
    failed = ao("run", "echo", "-i", '{"fail": "no such customer"}', "-f")
    assert failed.status == 1
    assert "ValueError: no such customer (agent.py:10)" in failed.err
    assert 'raise ValueError(request["fail"])' in failed.err
    assert failed.out == ""


def test_failed_run_as_json_has_the_error_on_stdout(ao: Ao) -> None:
    failed = ao("run", "echo", "-i", '{"fail": "x"}', "--wait", "--json")
    assert failed.status == 1
    assert set(failed.json) == {"code", "message", "hint", "details", "problems"}
    assert failed.json["code"] == "run_failed"
    assert failed.json["details"]["error"]["type"] == "ValueError"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run",),
        ("runs", "--limit", "0"),
        ("runs", "--state", "asleep"),
        ("run", "echo", "--version", "latest"),
        ("run", "echo", "--timeout", "3"),
        ("deploy", "no-such-directory"),
    ],
)
def test_a_command_that_makes_no_sense_is_2(ao: Ao, arguments: tuple[str, ...]) -> None:
    wrong = ao(*arguments)
    assert wrong.status == 2
    assert wrong.err.startswith("error: ")
    assert wrong.out == ""


def test_a_mistyped_command_is_answered_with_a_suggestion(ao: Ao) -> None:
    assert "did you mean `ao deploy`?" in ao("deplyo").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "nobody"),
        ("run", "Nobody!"),
        ("runs", "--agent", "nobody"),
        ("dlq", "ls", "--agent", "nobody"),
        ("dlq", "replay", "--agent", "nobody"),
        ("run", "echo", "--version", "v99"),
        ("show", "01890000-0000-7000-8000-000000000000"),
        ("logs", "not-an-id"),
        ("cancel", "01890000-0000-7000-8000-000000000000"),
        ("deployments", "nobody"),
        ("diff", "echo", "1", "99"),
        ("rollback", "echo", "--to", "99"),
        ("secrets", "rm", "NOTHING"),
    ],
)
def test_what_is_not_there_is_3(ao: Ao, arguments: tuple[str, ...]) -> None:
    missing = ao(*arguments)
    assert (missing.status, missing.out) == (3, ""), missing.err
    assert "hint: " in missing.err


def test_reused_idempotency_key_is_4_and_the_same_request_is_the_same_run(ao: Ao) -> None:
    first = ao.ok("run", "echo", "--idempotency-key", "k1", "-i", '{"a": 1}').out
    assert ao.ok("run", "echo", "--idempotency-key", "k1", "-i", '{"a": 1}').out == first
    assert ao("run", "echo", "--idempotency-key", "k1", "-i", '{"a": 2}').status == 4


def test_invalid_config_is_5_with_every_problem_and_its_line(ao: Ao, tmp_path: Path) -> None:
    (tmp_path / "ao.toml").write_text('nam = "x"\ncommand = ["true"]\ntimeout = "soon"\n')
    wrong = ao("deploy", str(tmp_path))
    assert wrong.status == 5
    assert "ao.toml:1: nam: unknown field nam (did you mean name?)" in wrong.err
    assert "ao.toml:3: timeout:" in wrong.err
    fields = {problem["field"] for problem in ao("deploy", str(tmp_path), "--json").json["problems"]}
    assert {"nam", "timeout"} <= fields


@pytest.mark.parametrize("given", ["{", "@no-such-file.json", ""])
def test_input_that_is_no_json_is_5(ao: Ao, given: str) -> None:
    assert ao("run", "echo", "-i", given).status == 5


def test_input_comes_from_a_file_or_stdin(ao: Ao, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"from": "file"}')
    from_file = ao.ok("run", "echo", "-i", f"@{tmp_path / 'input.json'}", "--wait", "--json")
    assert from_file.json["input"] == {"from": "file"}
    assert ao.ok("run", "echo", "-i", "-", "--wait", "--json", stdin='{"from": "stdin"}').json["input"] == {
        "from": "stdin"
    }


def test_wrong_key_is_6(ao: Ao) -> None:
    refused = ao("agents", AO_API_KEY="ao_0123456789abcdef0123")
    assert (refused.status, "came from AO_API_KEY" in refused.err) == (6, True)


def test_a_mistyped_connection_variable_is_5_instead_of_another_server(ao: Ao) -> None:
    wrong = ao("runs", AO_ULR="http://127.0.0.1:9")
    assert (wrong.status, "did you mean AO_URL?" in wrong.err) == (5, True)


def test_unreachable_server_is_7_and_names_url_and_origin(alone: Ao) -> None:
    nowhere = "http://127.0.0.1:9"
    alone.home.mkdir()
    (alone.home / "server.json").write_text('{"url": "http://127.0.0.1:9", "pid": 1}')  # it was killed
    by_home = alone("runs")
    assert (by_home.status, f"(from {alone.home / 'server.json'})" in by_home.err) == (7, True)
    by_variable = alone("runs", AO_URL=nowhere)
    assert (by_variable.status, f"{nowhere} (from AO_URL)" in by_variable.err) == (7, True)
    by_flag = alone("runs", "--url", nowhere, "--json", AO_URL="http://127.0.0.1:10")
    assert by_flag.json["details"]["url"] == nowhere


def test_patience_that_ends_is_124_and_the_run_goes_on(ao: Ao) -> None:
    waited = ao("run", "echo", "-i", '{"wait": 20}', "-f", "--timeout", "0.5")
    assert waited.status == 124
    run_id = waited.err.split()[1]
    assert "it goes on" in waited.err
    assert ao.ok("cancel", run_id, "--json").json["state"] in ("running", "cancelled")
    assert "cancelled" in ao("logs", run_id, "-f").err + ao.ok("show", run_id).out


def test_ctrl_c_is_130_and_says_that_the_run_goes_on(ao: Ao) -> None:
    process = ao.start("run", "echo", "-i", '{"wait": 20}', "-f")
    assert process.stderr is not None
    seen = ""
    while "hello from echo" not in seen:
        seen += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=90)
    assert process.returncode == 130
    assert "goes on" in rest
    run_id = seen.split()[1]
    assert ao.ok("show", run_id, "--json").json["run"]["state"] == "running"
    ao.ok("cancel", run_id)


def test_who_waits_for_a_run_that_cannot_start_is_told_why(ao: Ao) -> None:
    holder = ao.ok("run", "echo", "-i", '{"wait": 60}', "--session", "held").out.strip()
    process = ao.start("run", "echo", "-i", "{}", "--session", "held", "--wait")
    assert process.stderr is not None
    run_id = process.stderr.readline().split()[1]
    assert f"not yet: it waits for {holder}" in process.stderr.readline()
    ao.ok("cancel", holder)
    process.communicate(timeout=90)
    assert process.returncode == 0
    assert ao.ok("show", run_id, "--json").json["run"]["state"] == "completed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show",), "Missing argument RUN."),
        (("runs", "--state", "lost"), "Invalid value for '--state': 'lost' is not one of 'pending', 'running'"),
        (("runs", "--limit", "0"), "must be greater than or equal to 1"),
        (("run", "echo", "--session", "a b"), "session: must be up to 128 letters, digits and . _ : @ -"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_command(
    ao: Ao, arguments: tuple[str, ...], said: str
) -> None:
    assert said in ao(*arguments).err


def test_help_is_a_command_too(ao: Ao) -> None:
    assert ao.ok("help", "run").out == ao.ok("run", "--help").out
    assert ao.ok("help").out == ao.ok("--help").out


def test_closed_pipe_is_quiet(ao: Ao) -> None:
    process = ao.start("runs")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.wait(timeout=90)
    process.stderr.close()
    assert process.stdin is not None
    process.stdin.close()
