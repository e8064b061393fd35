"""Every problem of an `ao.toml` is found at once, with its field, line and what to do."""

import json
from pathlib import Path

import pytest

from ao.domain.agent_config import AgentConfig
from ao.domain.artifact import config_blob
from ao.domain.errors import InvalidConfig, Problem
from ao.project.config import load, parse

MINIMAL = 'name = "support"\ncommand = ["true"]\n'


def problems(text: str, root: Path | None = None) -> list[Problem]:
    with pytest.raises(InvalidConfig) as caught:
        parse(text, root=root)
    return list(caught.value.problems)


def only(text: str, root: Path | None = None) -> Problem:
    (problem,) = problems(text, root)
    return problem


def test_the_smallest_file_is_enough() -> None:
    assert parse(MINIMAL).retries.max_retries == 3


def test_all_problems_are_reported_together_in_the_order_of_the_file() -> None:
    text = """
nmae = "support"
command = ["true"]
retries = "three"
timeout = "ten"
cron = "61 * * * *"
timezone = "Europe/Berln"
secrets = ["TOKEN", "9LIVES"]
env = { AO_HOME = "x" }

[resources]
memory = "lots"
cpus = 2

[models]
fast = "gpt"
"""
    found = [(problem.line, problem.field) for problem in problems(text)]

    assert found == [
        (2, "nmae"),
        (4, "retries"),
        (5, "timeout"),
        (6, "cron"),
        (7, "timezone"),
        (8, "secrets[1]"),
        (9, "env.AO_HOME"),
        (12, "resources.memory"),
        (13, "resources.cpus"),
        (16, "models.fast"),
    ]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("nmae = 1", "did you mean name?"),
        ("entry_point = 1", "did you mean entrypoint?"),
        ("memory = 1", "memory belongs in [resources]"),
        ("max_retries = 1", "max_retries belongs in [retries]"),
        ("[resources]\ntimeout = 1", "timeout belongs at the top, above the first [table]"),
        ("[sandbox]\nnetwrk = 1", "did you mean network?"),
        ('timezone = "europe/berlin"', "did you mean Europe/Berlin?"),
    ],
)
def test_a_suggestion_says_what_was_meant(line: str, hint: str) -> None:
    assert only(MINIMAL + line).hint == hint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("retries = -1", "retries must be at least 0"),
        ("retries = true", "retries must be a number, or a table such as { max_retries = 3 }, not true/false"),
        ('timeout = "ten"', 'timeout: a duration is seconds or text such as "30s", "5m", "2h"'),
        ("timeout = inf", "timeout must be a finite number"),
        ("env = { A = 1 }", "env.A must be text in quotes, not a number"),
        ("secrets = 'TOKEN'", "secrets must be a list in [ ], not text"),
        (
            "sandbox = { network = 'open' }",
            'sandbox.network must be "none", "models", "full" or a list of hosts, not text',
        ),
        ("missed = 'none'", 'missed must be "skip", "latest" or "all"'),
        ("models = { fast = 3 }", 'models.fast must be "provider/model" or a table of settings, not a number'),
        ("python = '2.7'", "python '2.7' is not a version"),
        ("python = '3.6'", "python 3.6 is too old"),
        ("python = '3.12'\nbuild = { python = '3.13' }", "build.python is 3.13, but python is 3.12"),
        ("env = { KEY = 'a' }\nsecrets = ['KEY']", "KEY is both in env and in secrets"),
        ("placement = { requires = { a = 1 } }", "placement.requires.a must be text in quotes, not a number"),
        (
            "placement = { requires = { a = 'b c' } }",
            "placement.requires.a: 'b c' is not a label's name or value: up to 63 letters, digits, and . _ / - "
            "between them",
        ),
        ("placement = { memory = 'much' }", 'placement.memory: a size is bytes or text such as "512M" or "2G"'),
        ("placement = { labels = {} }", "unknown field placement.labels"),
        ("timeout = '2h'\nrun_timeout = '1h'", "timeout (7200 s) is above run_timeout (3600.0 s)"),
        (
            "cron_input = { day = 1979-05-27 }\ncron = '0 0 * * *'",
            "cron_input.day is a date or time, which JSON does not have",
        ),
        ("cron = '0 0 31 2 *'", "cron '0 0 31 2 *' is not valid: Bad day-of-month"),
        ("sandbox = { network = ['https://x.org'] }", "'https://x.org' is not a host"),
        (
            "retries = { permanent = ['exit:0'] }",
            "retries.permanent[0]: 'exit:0': an exit status is a number from 1 to 255, as in \"exit:2\"",
        ),
        (
            "retries = { permanent = ['x'], transient = ['x'] }",
            "retries: x is both in permanent and in transient",
        ),
        ("retries = { permanent = 'ValueError' }", "retries.permanent must be a list in [ ], not text"),
        ("tools = { allow = ['mail'], ask = ['mail'] }", "tool mail is in both allow and ask"),
    ],
)  # fmt: skip
def test_a_message_is_in_plain_words(line: str, message: str) -> None:
    assert only(MINIMAL + line).message == message


def test_a_timeout_that_nobody_wrote_is_no_problem_beside_a_short_run_timeout() -> None:
    assert parse(MINIMAL + "run_timeout = '3s'").run_timeout == 3


def test_broken_toml_names_the_line() -> None:
    problem = only('name = "support"\ncommand = = 3\n')

    assert (problem.line, problem.message) == (2, "this is not TOML: invalid value")


@pytest.mark.parametrize("depth", [70, 300, 5000])
def test_a_file_that_is_nested_to_exhaust_the_reader_is_refused(depth: int) -> None:
    for text in ("x = " + "[" * depth + "]" * depth, "[" + ".".join("a" * depth) + "]\nb = 1"):
        with pytest.raises(InvalidConfig, match="nested too deeply"):
            parse(text)


def test_a_name_or_entrypoint_that_is_missing_is_said() -> None:
    assert [p.message for p in problems("")] == ["give either `entrypoint` or `command`", "name is missing"]
    assert only('name = "a"\ncommand = ["x"]\nentrypoint = "a:b"').message == (
        "give either `entrypoint` or `command`"
    )


def test_files_that_are_named_must_exist(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").touch()
    text = MINIMAL + (
        "requirements = 'requirement.txt'\nprompts = { paths = ['prompts'] }\n"
        "data = { paths = ['../secrets'] }\ninput_schema = 'input.json'\n"
    )

    found = {problem.field: problem for problem in problems(text, tmp_path)}

    assert found["requirements"].hint == "did you mean requirements.txt?"
    assert found["prompts.paths[0]"].message == "prompts.paths[0]: there is no prompts"
    assert found["data.paths[0]"].message == "data.paths[0]: '../secrets' leads out of the project"
    assert found["input_schema"].message == "input_schema: there is no input.json"


def test_prompts_and_data_may_be_absent_when_nobody_named_them(tmp_path: Path) -> None:
    assert parse(MINIMAL, root=tmp_path).prompts.paths == ["prompts/"]


def test_an_input_schema_file_is_read_into_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text(json.dumps({"type": "object"}))

    assert parse(MINIMAL + "input_schema = 'input.json'", root=tmp_path).input_schema == {"type": "object"}


def test_an_input_schema_that_reaches_elsewhere_is_refused_without_going_there() -> None:
    problem = only(MINIMAL + "input_schema = { '$ref' = 'http://127.0.0.1:9/x.json' }")

    assert problem.hint == "only references within the schema are followed"


def test_a_directory_without_ao_toml_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(tmp_path)
    assert "ao init" in caught.value.hint


def test_a_resolved_configuration_reads_back_as_itself() -> None:
    config = parse(MINIMAL + "timeout = '5m'\nretries = 0\n[models]\nfast = 'openai/gpt'\n")

    assert AgentConfig.model_validate_json(config.model_dump_json()) == config


VALUES = ["''", "'x'", "0", "-1", "1.5", "inf", "nan", "9223372036854775807", "true", "[]", "[1]", "['a', 'a']"]
VALUES += ["{}", "{ a = 1 }", "1979-05-27", "07:32:00", "[[]]", "'\\u0000'"]
FIELDS = [
    *AgentConfig.model_fields,
    *(
        f"{name}.{inner}"
        for name, field in AgentConfig.model_fields.items()
        for inner in getattr(field.annotation, "model_fields", ())
    ),
]


def problems_or_nothing(text: str, root: Path) -> list[Problem]:
    """What is wrong; of what is right, that it reads back as itself."""
    try:
        config = parse(text, root=root)
    except InvalidConfig as error:
        return list(error.problems)
    assert AgentConfig.model_validate_json(config_blob(config)) == config
    return []


@pytest.mark.parametrize("field", FIELDS)
def test_whatever_a_field_holds_it_is_taken_or_refused_with_its_line(field: str, tmp_path: Path) -> None:
    for value in VALUES:
        lines = {"name": "name = 'a'", "command": "command = ['x']"}
        if field.partition(".")[0] == "entrypoint":
            del lines["command"]
        lines[field] = f"{field} = {value.replace(chr(39), chr(34))}"
        text = "\n".join(lines.values())
        found = problems_or_nothing(text, tmp_path)
        assert {problem.line for problem in found} <= {1 + list(lines).index(field), None}, (text, found)
        assert all(problem.message for problem in found)
