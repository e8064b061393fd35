"""The shape of the source: what no linter says."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("src", "tests", "scripts", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if not path.stem.endswith(("_pb2", "_pb2_grpc"))  # generated
)
MAX_LINES = 400
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc"}


def test_there_are_sources() -> None:
    assert len(SOURCES) > 20


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_short_and_has_a_telling_name(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: split it by what changes for the same reason"
    named = {path.stem, *path.relative_to(ROOT).parts[:-1]}
    assert not named & VAGUE, "name it after what it holds"
