"""The line of every key is found, whatever form the document has."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ao.project.positions import line_of, positions

DOCUMENT = '''# a comment = 1
top = 1
"quoted key" = """
not = 'a key'
[not.a.table]
"""
site."example.com".port = 80
literal = \'\'\'
x = 1\'\'\'
list = [
    1,  # one
    { a = 1, b = [2,
        3] },
]

[table.inner]
key = "\\" # not a comment"

[[array]]
name = "first"
[[array]]
name = "second"
[array.sub]
deep = { x.y = 1 }
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("quoted key",), 3),
        (("site", "example.com", "port"), 7),
        (("literal",), 8),
        (("list",), 10),
        (("list", 0), 11),
        (("list", 1, "a"), 12),
        (("list", 1, "b", 1), 13),
        (("table", "inner", "key"), 17),
        (("array", 0, "name"), 20),
        (("array", 1), 21),
        (("array", 1, "name"), 22),
        (("array", 1, "sub", "deep", "x", "y"), 24),
    ],
)
def test_the_line_of_a_key(path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(DOCUMENT)
    assert positions(DOCUMENT)[path] == line


def test_what_is_not_written_down_has_the_line_of_what_is_around_it() -> None:
    assert line_of(positions(DOCUMENT), ("table", "inner", "missing")) == 16
    assert line_of(positions(DOCUMENT), ("nothing",)) is None


KEYS = st.text("abc-_1", min_size=1, max_size=4)
VALUES = st.sampled_from(
    ["1", "true", '"a # b"', "'c\\'", '"""\nx = 1\n"""', "[1, 2]", "{ q = [1] }", "1979-05-27"]
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_every_key_of_a_valid_document_is_found_where_it_was_written(tables: dict[str, dict[str, str]]) -> None:
    text, expected = "", {}
    for name, pairs in tables.items():
        text += f"\n[{name}] # = [\n"
        for key, value in pairs.items():
            expected[(name, key)] = text.count("\n") + 1
            text += f"{key} = {value}\n"
    tomllib.loads(text)

    found = positions(text)

    assert {path: found[path] for path in expected} == expected
