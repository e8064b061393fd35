"""The manifest that names a release is a function of its content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ao.domain.agent_config import AgentConfig
from ao.domain.artifact import Blob, Manifest, Part, config_blob, models_file, tools_file
from ao.domain.errors import InternalError

CONFIG = AgentConfig(name="a", command=["x"])
BLOBS = st.binary(max_size=8).map(Blob.of)


@given(BLOBS, st.dictionaries(st.sampled_from(Part), BLOBS))
def test_a_manifest_reads_back_and_the_order_of_parts_does_not_count(
    config: Blob, parts: dict[Part, Blob]
) -> None:
    manifest = Manifest(config, parts)

    content = manifest.to_bytes()

    assert Manifest.from_bytes(content) == manifest
    assert Manifest(config, dict(reversed(parts.items()))).to_bytes() == content
    assert Manifest.is_one(content)


def test_a_manifest_says_nothing_of_time_or_host() -> None:
    manifest = json.loads(Manifest(Blob.of(b"{}"), {Part.CODE: Blob.of(b"x")}).to_bytes())

    assert set(manifest) == {"schemaVersion", "mediaType", "artifactType", "config", "layers"}
    assert manifest["layers"][0]["annotations"] == {"ao.part": "code"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"artifactType":"x"}', b"\xff"])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(InternalError):
        Manifest.from_bytes(content)


def test_equal_configurations_have_one_spelling() -> None:
    one = AgentConfig.model_validate(
        {"name": "a", "command": ["x"], "timeout": "5m", "env": {"B": "1", "A": "2"}}
    )
    other = AgentConfig.model_validate(
        {"env": {"A": "2", "B": "1"}, "timeout": 300, "command": ["x"], "name": "a"}
    )

    assert config_blob(one) == config_blob(other)


def test_parts_that_say_nothing_are_left_out() -> None:
    assert models_file(CONFIG) is None
    assert tools_file(CONFIG) is None


def test_the_order_of_tools_does_not_count() -> None:
    def config(*names: str) -> AgentConfig:
        return AgentConfig.model_validate({"name": "a", "command": ["x"], "tools": {"allow": list(names)}})

    assert tools_file(config("b", "a")) == tools_file(config("a", "b", "a"))
