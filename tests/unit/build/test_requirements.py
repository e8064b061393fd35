"""Which requirements pip gets to see, and which are a lock."""

from pathlib import Path

import pytest

from ao.build.requirements import Wanted, find, read
from ao.domain.agent_config import AgentConfig
from ao.domain.errors import BuildFailed

HASH = " --hash=sha256:" + "a" * 64
CONFIG = AgentConfig(name="a", command=["x"])


def requirements(root: Path, text: str, source_allowed: bool = False) -> Wanted:
    (root / "requirements.txt").write_text(text)
    return read(root / "requirements.txt", root, source_allowed)


@pytest.mark.parametrize(
    ("text", "is_lock"),
    [
        (f"left==1.0{HASH}\n", True),
        (f"left==1.0 \\\n   {HASH} \\\n   {HASH}\n# via right\nright==2{HASH}\n", True),
        (f"left[x,y]==1.0 ; python_version < '3.12'{HASH}\n", True),
        (f"--index-url https://index.example\nleft==1.0{HASH}\n", True),
        ("left==1.0\n", False),
        (f"left==1.*{HASH}\n", False),
        (f"left>=1.0{HASH}\n", False),
        (f"left==1.0{HASH}\nright\n", False),
        ("", False),
    ],
)
def test_a_lock_pins_everything_with_hashes(tmp_path: Path, text: str, is_lock: bool) -> None:
    assert requirements(tmp_path, text).is_lock is is_lock


def test_lines_are_joined_and_comments_dropped(tmp_path: Path) -> None:
    wanted = requirements(
        tmp_path, "# all\nleft >= 1, \\\n  < 2   # why\n\nright@ https://x.example/r-1-py3-none-any.whl#x\r\n"
    )

    assert wanted.lines == ("left >= 1, < 2", "right@ https://x.example/r-1-py3-none-any.whl#x")


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "--editable=.",
        ".",
        "./package",
        "package/",
        "/srv/package",
        "left-1.0.tar.gz",
        "left @ file:///srv/left-1.0-py3-none-any.whl",
        "git+ssh://git@example.org/left",
        "left @ https://example.org/left-1.0.zip",
        "--config-settings=x",
        "left==1 --config-settings=x",
        "left ; python_version > '3' --no-binary=x",
        "..",
        ".[extra]",
        "left.zip",
        "left.tar",
        "a\\b",
        "$HOME",
        "left==1 @ x",
        "--no-binary :all:",
        "-c constraints.txt",
        "--find-links file:///srv",
        "--find-links /srv",
        "--extra-index-url file:///srv",
        "https://user:${TOKEN}@example.org/left-1.0-py3-none-any.whl",
    ],
)
def test_what_would_execute_code_or_read_the_server_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        requirements(tmp_path, f"fine\n{line}\n")

    assert line in caught.value.message


def test_source_archives_and_repositories_need_leave(tmp_path: Path) -> None:
    text = "left @ git+https://example.org/left@v1\nhttps://example.org/right-1.0.tar.gz\n"

    assert len(requirements(tmp_path, text, source_allowed=True).lines) == 2
    with pytest.raises(BuildFailed, match="would execute code"):
        requirements(tmp_path, text)


def test_a_wheel_in_the_project_counts_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "left-1-py3-none-any.whl").write_bytes(b"one")
    one = requirements(tmp_path, "./left-1-py3-none-any.whl")
    (tmp_path / "left-1-py3-none-any.whl").write_bytes(b"two")

    assert one.lines == ("./left-1-py3-none-any.whl",)
    assert one.local != requirements(tmp_path, "./left-1-py3-none-any.whl").local


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), None),
        (("requirements.txt",), "requirements.txt"),
        (("requirements.txt", "pylock.toml"), "pylock.toml"),
        (("pyproject.toml",), None),
        (("pyproject.toml", "uv.lock"), "pyproject.toml"),
    ],
)
def test_the_most_exact_file_is_taken(tmp_path: Path, names: tuple[str, ...], found: str | None) -> None:
    for name in names:
        (tmp_path / name).touch()

    assert find(CONFIG, tmp_path) == (tmp_path / found if found else None)


@pytest.mark.parametrize(
    "line",
    [
        "left",
        "Left_2.x[a, b]>=1,!=1.5.*",
        "left ( >=1 )",
        "left~=1.0rc1+local",
        "left===1",
        "left;os_name=='a/b'",
    ],
)
def test_packages_of_an_index_pass_as_they_are(tmp_path: Path, line: str) -> None:
    assert requirements(tmp_path, line).lines == (line,)


def test_dynamic_dependencies_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndynamic = ["dependencies"]\n')

    with pytest.raises(BuildFailed, match="dynamic dependencies need code to be executed"):
        find(CONFIG, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'lock-version = "2.0"\npackages = []',
        'lock-version = "1.0"\n[[packages]]\nname = "x"\nversion = "1"\n[packages.sdist]\nurl = "x"',
        'lock-version = "1.0"\n[[packages]]\nname = "x"\nversion = "1"\nwheels = [{ hashes = {} }]',
    ],
)
def test_a_pylock_that_cannot_be_installed_without_code_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pylock.toml").write_text(text)

    with pytest.raises(BuildFailed, match=r"pylock\.toml"):
        read(tmp_path / "pylock.toml", tmp_path, source_allowed=False)
