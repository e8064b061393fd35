"""The archive of a project depends on its files alone."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ao.domain.errors import InvalidInput
from ao.project.packing import Limits, pack, select

DIGEST = """
import pathlib, sys
from ao.project.packing import pack
print(pack(*map(pathlib.Path, sys.argv[1:])).digest)
"""


def make(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def packed(root: Path) -> list[str]:
    return [entry.path for entry in select(root).entries]


def refused(root: Path) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        select(root)
    return [problem.message for problem in caught.value.problems]


def digest(root: Path, target: Path, *, umask: int = 0o022, **environ: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", DIGEST, root, target],
        env={"PATH": os.environ["PATH"], **environ},
        umask=umask,
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_digest_is_equal_in_another_place_under_another_umask_zone_and_locale(tmp_path: Path) -> None:
    files = {"ao.toml": "name = 'a'", "ä/ö.txt": "x", "Z.py": "", "a.py": "", "d" * 80 + "/" + "e" * 80: "long"}
    one, other = make(tmp_path / "one", files), tmp_path / "elsewhere" / "two"
    previous = os.umask(0o077)
    try:
        make(other, dict(reversed(files.items())))
    finally:
        os.umask(previous)
    for path in other.rglob("*"):
        os.utime(path, (1, 1))

    first = digest(one, tmp_path / "1.tar", TZ="UTC", LC_ALL="C")
    second = digest(other, tmp_path / "2.tar", umask=0o077, TZ="Asia/Tokyo", LC_ALL="C.UTF-8")

    assert first == second
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_the_digest_is_equal_for_another_user(tmp_path: Path) -> None:
    root = make(tmp_path / "project", {"ao.toml": "name = 'a'", "agent.py": "x"})
    other = make(tmp_path / "copy", {"ao.toml": "name = 'a'", "agent.py": "x"})
    for path in [other, *other.rglob("*")]:
        os.chown(path, 65534, 65534)

    assert pack(root, tmp_path / "1.tar").digest == pack(other, tmp_path / "2.tar").digest


def test_executable_files_stay_executable_and_nothing_else_of_the_mode_counts(tmp_path: Path) -> None:
    root = make(tmp_path, {"run.sh": "", "data.txt": ""})
    (root / "run.sh").chmod(0o700)
    (root / "data.txt").chmod(0o466)

    assert {entry.path: entry.executable for entry in select(root).entries} == {
        "run.sh": True,
        "data.txt": False,
    }


def test_some_things_are_always_left_out(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        {
            "agent.py": "",
            ".git/config": "",
            ".venv/x": "",
            "env/pyvenv.cfg": "",
            "env/lib/x.py": "",
            "app/__pycache__/a.pyc": "",
            "b.pyc": "",
            ".env": "KEY=1",
            "app/.DS_Store": "",
            ".ao/ao.schema.json": "",
        },
    )
    assert packed(root) == ["agent.py"]


def test_gitignore_counts_with_the_rules_of_git(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        {
            ".gitignore": "*.log\n!keep.log\n/build/\nnode_modules/\n",
            "a.log": "",
            "keep.log": "",
            "build/out": "",
            "src/build/in": "",
            "src/.gitignore": "!b.log\nlocal\n",
            "src/a.log": "",
            "src/b.log": "",
            "src/local": "",
            "node_modules/x/keep.log": "",
        },
    )
    assert packed(root) == [".gitignore", "keep.log", "src/.gitignore", "src/b.log", "src/build/in"]


def test_aoignore_counts_in_place_of_gitignore(tmp_path: Path) -> None:
    root = make(
        tmp_path, {".gitignore": "model.bin\n", ".aoignore": "docs\n", "model.bin": "", "docs/a.md": ""}
    )

    assert packed(root) == [".aoignore", ".gitignore", "model.bin"]


def test_what_looks_like_a_secret_is_named_in_a_warning(tmp_path: Path) -> None:
    root = make(
        tmp_path, {"certs/server.pem": "", "id_rsa": "", "id_rsa.pub": "", ".env.local": "", ".env.example": ""}
    )

    warnings = select(root).warnings

    assert [warning.split()[0] for warning in warnings] == [".env.local", "certs/server.pem", "id_rsa"]


def test_links_inside_the_project_stay_and_become_relative(tmp_path: Path) -> None:
    root = make(tmp_path, {"data/a.txt": "x", "sub/b": ""})
    (root / "sub" / "link").symlink_to("../data/a.txt")
    (root / "absolute").symlink_to(root / "data")

    links = {entry.path: entry.target for entry in select(root).entries if entry.target}

    assert links == {"absolute": "data", "sub/link": "../data/a.txt"}


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside"])
def test_a_link_that_leaves_the_project_is_refused_by_name(tmp_path: Path, target: str) -> None:
    root = make(tmp_path / "project", {"agent.py": ""})
    (tmp_path / "outside").touch()
    (root / "link").symlink_to(target)

    assert refused(root) == [f"link is a link that leaves the project (to {target})"]


def test_a_chain_of_links_that_ends_outside_is_refused(tmp_path: Path) -> None:
    root = make(tmp_path / "project", {"agent.py": ""})
    (tmp_path / "outside").mkdir()
    (root / "one").symlink_to(tmp_path / "outside")
    (root / "two").symlink_to("one/x")

    assert len(refused(root)) == 2


def test_sockets_pipes_and_names_that_are_not_text_are_refused_together(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "line\nbreak").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
        messages = refused(tmp_path)

    assert len(messages) == 4


def test_names_that_are_one_name_elsewhere_are_refused(tmp_path: Path) -> None:
    root = make(tmp_path, {"Readme": "", "README": ""})

    assert refused(root) == ["Readme and README are one name on some file systems"]


def test_directories_that_are_one_name_elsewhere_are_refused(tmp_path: Path) -> None:
    root = make(tmp_path, {"Docs/a": "", "docs/b": ""})

    assert refused(root) == ["docs and Docs are one name on some file systems"]


def test_limits_are_refused_with_figures(tmp_path: Path) -> None:
    root = make(tmp_path, {"big": "x" * 3 * (1 << 20), "a": "", "b": ""})

    with pytest.raises(InvalidInput) as caught:
        select(root, Limits(total_bytes=2 << 20, file_bytes=1 << 20, files=2))

    assert [problem.message for problem in caught.value.problems] == [
        "3 files are more than 2",
        "3 MiB are more than 2 MiB; the largest is big",
        "big is larger than 1 MiB",
    ]
