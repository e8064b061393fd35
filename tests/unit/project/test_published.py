"""What the package carries for projects: the schema of `ao.toml` and the files of `ao init`."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from ao.domain.errors import Conflict, InvalidInput
from ao.project import schema, template
from ao.project.config import load
from ao.project.packing import select


def test_the_published_schema_is_the_one_of_the_code() -> None:
    assert schema.FILE.read_text("utf-8") == schema.generate(), "run `make generate`"


def test_the_example_has_the_published_schema() -> None:
    kept = Path(__file__).resolve().parents[3] / "examples" / "hello" / ".ao" / "ao.schema.json"
    assert kept.read_text("utf-8") == schema.generate(), "run `make generate`"


def test_the_schema_accepts_what_ao_accepts_and_knows_a_wrong_field() -> None:
    validator = jsonschema_rs.validator_for(json.loads(schema.generate()))

    assert validator.is_valid({"name": "a", "command": ["x"], "retries": 2, "timeout": "5m"})
    assert validator.is_valid({"name": "a", "command": ["x"], "retries": {"max_retries": 1}})
    assert not validator.is_valid({"name": "a", "command": ["x"], "nmae": 1})


def test_a_new_project_is_valid_and_its_tests_pass(tmp_path: Path) -> None:
    files = template.create(tmp_path / "hello", "hello")

    config = load(tmp_path / "hello")
    ended = subprocess.run(
        [sys.executable, "-m", "unittest", "tests/test_agent.py"],
        cwd=tmp_path / "hello",
        capture_output=True,
        check=False,
        text=True,
    )

    assert config.name == "hello"
    assert ended.returncode == 0, ended.stderr
    assert {file.name for file in files} >= {"ao.toml", "agent.py", "AGENTS.md", ".gitignore", ".aoignore"}
    assert [e.path for e in select(tmp_path / "hello").entries] == [
        ".aoignore",
        ".gitignore",
        "agent.py",
        "ao.toml",
    ]


def test_a_new_project_names_its_schema_for_editors(tmp_path: Path) -> None:
    template.create(tmp_path, "hello")
    first = (tmp_path / "ao.toml").read_text().splitlines()[0]
    published = json.loads((tmp_path / first.removeprefix("#:schema ")).read_text())

    jsonschema_rs.validator_for(published).validate(tomllib.loads((tmp_path / "ao.toml").read_text()))


def test_nothing_is_overwritten_and_nothing_is_half_done(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("mine")

    with pytest.raises(Conflict, match=r"already has agent\.py"):
        template.create(tmp_path, "hello")

    assert [path.name for path in tmp_path.iterdir()] == ["agent.py"]
    assert (tmp_path / "agent.py").read_text() == "mine"


def test_a_name_that_cannot_be_is_refused_with_one_that_can(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        template.create(tmp_path, "My Agent!")

    assert caught.value.hint == "`--name my-agent` would do"
