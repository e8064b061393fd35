"""What an image is made of, without Docker."""

import io
import zipfile
from pathlib import Path

import image_lock
import pytest

from ao.build.pythons import Python
from ao.domain.errors import Unavailable, UsageError
from ao.image import dockerfile, own
from ao.image.base import Base
from ao.image.docker import Docker
from ao.image.reference import Reference
from ao.image.wheels import LOCK


def test_the_images_lock_is_that_part_of_the_developers_lock_which_ao_needs() -> None:
    assert LOCK.read_text("utf-8") == image_lock.rendered(), "run `make generate`"
    assert "fastapi==" in LOCK.read_text("utf-8")
    assert "pytest" not in LOCK.read_text("utf-8")


def test_aos_own_wheel_has_the_same_bytes_each_time_and_all_that_is_needed() -> None:
    content = own.wheel()
    assert content == own.wheel()
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        names = packed.namelist()
        assert packed.testzip() is None
        points = packed.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    assert {"ao/cli/main.py", "ao_runner/main.py", "ao/image/requirements.lock", "ao/export/stack/env"} <= set(
        names
    )
    assert "ao = ao.cli.start:main" in points
    assert not [name for name in names if "__pycache__" in name]


def test_the_dockerfile_has_two_stages_an_unprivileged_user_and_no_network() -> None:
    text = dockerfile("ao.whl", "base:1", {"a.b": 'says "no" for $5'}, agent=False)
    assert text.count("\nFROM ${BASE}") == 2
    assert "USER 10001:10001" in text
    assert "HEALTHCHECK" in text
    assert 'LABEL a.b="says \\"no\\" for \\$5"' in text
    assert "--require-hashes" in text
    assert "--offline" in text
    assert 'CMD ["up", "--host", "0.0.0.0"]' in text
    assert "--deploy" in dockerfile("ao.whl", agent=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ao", "ao:1.0"),
        ("ao:test", "ao:test"),
        ("registry.internal:5000/team/ao", "registry.internal:5000/team/ao:1.0"),
        ("localhost/ao:a_B-c.d", "localhost/ao:a_B-c.d"),
        ("[::1]:5000/ao", "[::1]:5000/ao:1.0"),
    ],
)
def test_a_name_without_a_tag_gets_the_version(text: str, shown: str) -> None:
    assert str(Reference.parse(text, default_tag="1.0")) == shown


@pytest.mark.parametrize(
    "text", ["", "AO", "ao:", "ao:-x", "ao:a b", "/ao", "registry:5000/", "ao@sha256:1", "-ao"]
)
def test_what_no_image_can_be_called_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of an image"):
        Reference.parse(text, default_tag="1.0")


def test_wheels_are_taken_for_the_glibc_of_the_base_and_older_ones() -> None:
    python = Python(Path("/usr/bin/python3"), "cpython", "3.12.1", "linux-x86_64", "")
    platforms = Base("base", "sha256:1", python, "x86_64", 36).platforms
    assert platforms[0] == "manylinux_2_36_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"} <= set(platforms)
    assert not [name for name in platforms if "2_37" in name]


def test_without_docker_the_error_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="`docker` is not installed") as caught:
        Docker({"PATH": "/nowhere"})
    assert "--print-dockerfile" in caught.value.hint
