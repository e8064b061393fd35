"""An entrypoint is checked without executing anything of the project."""

from pathlib import Path

import pytest

from ao.project.entrypoint import check
from ao.project.wording import Finding


def found(entrypoint: str, root: Path) -> list[Finding]:
    return list(check(entrypoint, root))


@pytest.mark.parametrize(
    "source",
    [
        "def main(input): ...",
        "async def main(input): ...",
        "class main: ...",
        "main = print",
        "a, (main, b) = 1, (2, 3)",
        "main: object = print",
        "from os import path as main",
        "from os import *",
        "try:\n    import json as main\nexcept ImportError:\n    main = None",
        "if True:\n    def main(): ...",
        "with open('x') as main: ...",
        "for main in (): ...",
        "def __getattr__(name): ...",
        "match 1:\n    case 1:\n        main = 1",
    ],
)
def test_a_name_that_the_module_binds_is_enough(tmp_path: Path, source: str) -> None:
    (tmp_path / "agent.py").write_text(source)

    assert found("agent:main", tmp_path) == []


def test_nothing_of_the_module_is_executed(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("import sys; sys.exit('executed')\ndef main(): ...")

    assert found("agent:main", tmp_path) == []


def test_a_function_that_is_not_there_comes_with_what_is(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("def mian(): ...\ndef helper():\n    main = 1")

    (finding,) = found("agent:main", tmp_path)

    assert (finding.message, finding.hint) == ("agent.py has no main at its top level", "did you mean mian?")


def test_a_module_that_is_not_there_comes_with_what_is(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "agent.py").touch()

    (finding,) = found("app.agnt:main", tmp_path)

    assert finding.message == "there is no app/agnt.py for entrypoint app.agnt:main"
    assert finding.hint == "did you mean app.agent?"


def test_a_package_is_found_by_its_init(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("def main(): ...")

    assert found("app:main", tmp_path) == []


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("x = 1\ndef main(:\n")

    assert found("agent:main", tmp_path)[0].message.startswith("agent.py, line 2: ")
    assert found("agent.py", tmp_path)[0].message.startswith("agent.py, line 2: ")


@pytest.mark.parametrize(
    "source", ["(" * 10_000, "-" * 100_000 + "1", "x" + ".y" * 100_000, "a" + "+a" * 100_000]
)
def test_source_that_is_made_to_exhaust_the_parser_is_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "agent.py").write_text(source)

    assert len(found("agent:main", tmp_path)) == 1


@pytest.mark.parametrize("entrypoint", ["agent:", ":main", "a b:main", "agent:main()", "a/b.py:main"])
def test_a_malformed_entrypoint_says_the_form(tmp_path: Path, entrypoint: str) -> None:
    assert "module:function" in found(entrypoint, tmp_path)[0].hint


@pytest.mark.parametrize("entrypoint", ["run.sh", "../agent.py", "/etc/agent.py", "missing.py"])
def test_a_script_is_a_python_file_of_the_project(tmp_path: Path, entrypoint: str) -> None:
    assert len(found(entrypoint, tmp_path)) == 1
