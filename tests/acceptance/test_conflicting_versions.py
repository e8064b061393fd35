"""Two agents that need different versions of one package run side by side."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.command import Ao
from tests.acceptance.projects import project

AGENT = """\
import os, time
import shared


def main(request):
    print("shared", shared.VERSION, flush=True)
    time.sleep(600)
"""


def needing(directory: Path, name: str, version: str) -> Path:
    """A project that brings its own wheel of `shared` and needs exactly that version."""
    made = project(directory, name, agent=AGENT)
    (made / "requirements.txt").write_text(f"--no-index\n--find-links ./wheels\nshared=={version}\n")
    wheels = made / "wheels"
    wheels.mkdir(exist_ok=True)
    info = f"shared-{version}.dist-info"
    files = {
        "shared.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: shared\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(wheels / f"shared-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(zipfile.ZipInfo(file), text)
    return made


@pytest.fixture
def started(ao: Ao) -> Iterator[list[str]]:
    """Ids of runs that are cancelled afterwards."""
    runs: list[str] = []
    yield runs
    for run_id in runs:
        ao.ok("cancel", run_id)


def first_line(ao: Ao, run_id: str) -> str:
    """What the run prints first, as soon as it is there."""
    follower = ao.start("logs", run_id, "-f", "--json")
    assert follower.stdout is not None
    return str(json.loads(follower.stdout.readline())["text"])


def test_conflicting_versions_run_at_once_and_a_deploy_does_not_touch_them(
    ao: Ao, tmp_path: Path, started: list[str]
) -> None:
    older, newer = needing(tmp_path / "older", "older", "1.0"), needing(tmp_path / "newer", "newer", "2.0")
    ao.ok("deploy", str(older))
    ao.ok("deploy", str(newer))
    started += [ao.ok("run", name).out.strip() for name in ("older", "newer")]
    assert [first_line(ao, run_id) for run_id in started] == ["shared 1.0", "shared 2.0"]

    ao.ok("deploy", str(needing(older, "older", "3.0")))
    started.append(ao.ok("run", "older").out.strip())
    assert first_line(ao, started[-1]) == "shared 3.0"
    running = ao.ok("runs", "--state", "running", "--json").json["items"]
    assert {(run["id"], run["agent"], run["version"]) for run in running} == {
        (started[0], "older", 1),
        (started[1], "newer", 1),
        (started[2], "older", 2),
    }
