"""What a `.dockerignore` keeps out of a build: what Docker documents, line by line, and its corners."""

from pathlib import Path

import pytest

from ao.domain.errors import InvalidInput
from ao.project.dockerignore import MAX_LINES, NAME, beside

CASES = [
    ("# comment\n*/temp*", ["a/temporary.txt", "a/temp/x"], ["temporary.txt", "a/b/temporary.txt"]),
    ("*/*/temp*", ["a/b/temporary.txt"], ["a/temporary.txt", "a/b/c/temporary.txt"]),
    ("temp?", ["tempa", "tempb/deep/file"], ["temp", "tempab", "a/tempa"]),
    ("**/*.go", ["main.go", "a/main.go", "a/b/c.go"], ["main.gone", "go"]),
    ("*.md\n!README.md", ["a.md"], ["README.md", "docs/a.md"]),
    ("*.md\n!README*.md\nREADME-secret.md", ["README-secret.md", "other.md"], ["README-x.md", "README.md"]),
    ("*.md\nREADME-secret.md\n!README*.md", ["other.md"], ["README-secret.md", "README.md"]),
    ("*\n!src\n!keep.txt\nsrc/private", ["a", "b/c", "src/private/x"], ["src/a", "src/a/b", "keep.txt"]),
    ("build/\n/dist\n./out\na//b/../c", ["build/x", "dist", "out/y", "a/c"], ["x/build", "a/b"]),
    ("  spaced.txt  \n ! kept.txt", ["spaced.txt"], ["kept.txt"]),
    ("[a-c].txt\n[^x]y", ["a.txt", "zy"], ["d.txt", "xy"]),
    ("a.b+(c)|$", ["a.b+(c)|$"], ["aXb+(c)|$", "a.b"]),
    (r"\#hash" "\n" r"\!bang" "\n" r"st\*r", ["#hash", "!bang", "st*r"], ["stir"]),
    ("node_modules", ["node_modules/a/b.js"], ["web/node_modules/a.js", "node_modules.txt"]),
    ("**/node_modules", ["node_modules/a", "web/node_modules/a.js"], ["my_node_modules/a"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
    ("a/**/z", ["a/z", "a/b/z", "a/b/c/z/deep"], ["a/bz"]),
    ("**\n!only", ["x", "y/z"], ["only"]),
    ("", [], ["anything", ".dockerignore"]),
]


@pytest.mark.parametrize(("text", "excluded", "kept"), CASES)
def test_a_file_is_kept_out_by_the_last_line_that_matches_it(
    tmp_path: Path, text: str, excluded: list[str], kept: list[str]
) -> None:
    (tmp_path / NAME).write_text(text)
    rules = beside(tmp_path / "Dockerfile")
    assert [path for path in [*excluded, *kept] if rules.excludes(path)] == excluded


def test_what_the_builder_reads_stays_and_the_dockerfiles_own_file_goes_first(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("words")
    (tmp_path / "Gpu.dockerignore").write_text("*")
    rules = beside(tmp_path / "Gpu")
    assert [name for name in ("Gpu", "Gpu.dockerignore", NAME, "words") if rules.excludes(name)] == [
        NAME,
        "words",
    ]
    assert not beside(tmp_path / "Dockerfile").excludes("other")
    assert beside(tmp_path / "Dockerfile").excludes("words")


@pytest.mark.parametrize("line", ["!", "[a-", "a\\", "[b-a]"])
def test_a_line_that_is_no_pattern_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / NAME).write_text(f"fine\n{line}\n")
    with pytest.raises(InvalidInput, match=r"^\.dockerignore, line 2: .* is no pattern: "):
        beside(tmp_path / "Dockerfile")


def test_neither_bytes_nor_endless_lists_are_taken(tmp_path: Path) -> None:
    for content in (b"\xff\xfe", b"x\n" * (MAX_LINES + 1)):
        (tmp_path / NAME).write_bytes(content)
        with pytest.raises(InvalidInput):
            beside(tmp_path / "Dockerfile")
