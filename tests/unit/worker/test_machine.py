"""What a control group leaves of a machine."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ao.worker import machine

GIB = 1 << 30
UNLIMITED = "9223372036854771712"


def groups(root: Path, own: str, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "GROUPS", root)
    monkeypatch.setattr(machine, "OWN_GROUPS", root / "own")
    (root / "own").write_text(own)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def test_without_limits_it_is_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups(tmp_path, "", {}, monkeypatch)
    whole = machine.detect()
    files = {"memory/memory.limit_in_bytes": UNLIMITED, "cpu/cpu.cfs_quota_us": "-1"}
    files |= {"cpu/cpu.cfs_period_us": "100000", "a/memory.max": "max", "a/cpu.max": "max 100000"}
    groups(tmp_path, "2:memory:/\n1:cpu:/\n0::/a\n", files, monkeypatch)
    assert machine.detect() == whole


def test_the_least_of_version_2_counts_however_far_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a/memory.max": f"{GIB}", "a/b/memory.max": f"{2 * GIB}", "a/cpu.max": "max 100000"}
    groups(tmp_path, "0::/a/b\n", {**files, "a/b/cpu.max": "50000 100000"}, monkeypatch)
    found = machine.detect()
    assert (found.memory, found.cpu) == (GIB, 500)


def test_of_version_1_a_container_sees_its_own_group_as_the_outermost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"memory/memory.limit_in_bytes": f"{GIB}"}
    files |= {"cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "100000"}
    own = "4:memory:/docker/676f\n1:cpu,cpuacct:/docker/676f\n0::/docker/676f\n"
    groups(tmp_path, own, files, monkeypatch)
    found = machine.detect()
    assert (found.memory, found.cpu) == (GIB, 250)
