"""The list of a workspace: what may be in it, and one text for one content."""

import pytest

from ao.domain.errors import InvalidInput
from ao.domain.workspace import MAX_ENTRIES, Manifest, checked

DIGEST = "sha256:" + "0" * 64
LIMIT = 1000


def file(path: str, size: int = 1) -> dict[str, object]:
    return {"path": path, "kind": "file", "mode": 0o104755, "size": size, "digest": DIGEST}


def link(path: str, target: str) -> dict[str, object]:
    return {"path": path, "kind": "link", "target": target}


def directory(path: str) -> dict[str, object]:
    return {"path": path, "kind": "dir", "mode": 0o755}


def test_the_order_in_which_it_is_told_does_not_matter() -> None:
    items = [file("b/c"), directory("b"), file("a"), link("b/l", "../a")]
    one, other = (Manifest(checked(each, LIMIT)) for each in (items, items[::-1]))
    assert one.encode() == other.encode()
    assert Manifest.decode(one.encode()) == Manifest(list(one.entries), None)
    assert (one.files, one.size, one.entries[0].mode) == (2, 2, 0o755)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([file("../a")], "no path below the workspace"),
        ([file("a/../b")], "no path below the workspace"),
        ([file("/a")], "no path below the workspace"),
        ([file("")], "no path below the workspace"),
        ([file("a\0b")], "no path below the workspace"),
        ([file("\udcff")], "not UTF-8"),
        ([file("a" * 256)], "too long a name"),
        ([file("a"), file("a")], "listed twice"),
        ([file("a"), file("a/b")], "is in what is no directory"),
        ([link("d", "."), file("d/x")], "is in what is no directory"),
        ([link("l", "/etc")], "outside"),
        ([link("l", "..")], "outside"),
        ([link("l", "a/..")], "outside"),
        ([link("l", "")], "outside"),
        ([directory("d"), link("d/l", "../..")], "outside"),
        ([file("a", LIMIT), file("b")], "1,001 bytes; at most 1,000 are kept"),
        ([{"path": "a", "kind": "fifo"}], "makes no sense"),
        ([{**file("a"), "size": -1}], "makes no sense"),
        ([{**file("a"), "digest": "md5:0"}], "makes no sense"),
        ([7], "an entry that is none"),
        ([file(str(number), 0) for number in range(MAX_ENTRIES + 1)], "more than 10,000"),
    ],
)
def test_what_cannot_be_kept_is_named(items: list[object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        checked(items, LIMIT)
