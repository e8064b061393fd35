"""What is written down agrees with the code."""

import re
from pathlib import Path

import generate_docs
import pytest

from ao.cli.exits import MEANING, STATUS
from ao.cli.registry import COMMANDS, Entry, load
from ao.project import template

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = {
    **{name: entry for name, entry in COMMANDS.items() if entry.subcommands is None},
    **{
        f"{group} {name}": entry
        for group, listed in COMMANDS.items()
        for name, entry in (listed.subcommands or {}).items()
    },
}


@pytest.mark.parametrize("page", generate_docs.PARTS)
def test_generated_parts_are_current(page: str) -> None:
    current = (generate_docs.DOCS / page).read_text(encoding="utf-8")
    assert current == generate_docs.rendered(page), "run `make generate`"


@pytest.mark.parametrize("name", ENTRIES)
def test_listed_summary_is_the_first_line_of_the_command(name: str) -> None:
    entry: Entry = ENTRIES[name]
    assert load(name.rpartition(" ")[2], entry).help.splitlines()[0] == entry.summary


def test_every_exit_status_is_explained() -> None:
    assert set(STATUS.values()) <= set(MEANING)


def test_readme_and_quickstart_use_commands_that_exist() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "quickstart.md", *ROOT.glob("examples/*/README.md")):
        for name in re.findall(r"^\$ ao ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert name in COMMANDS, f"{page.name}: ao {name}"


def test_hello_is_what_init_makes(tmp_path: Path) -> None:
    made = template.create(tmp_path / "hello", "hello")
    for file in made:
        name = file.relative_to(tmp_path)
        assert (ROOT / "examples" / name).read_bytes() == file.read_bytes(), f"{name}: run `ao init` again"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"[\w-]+\.md", navigation))
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")}
