"""The script as a process, the way it runs in AO."""

import json
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def report(tmp_path: Path, request: str) -> dict[str, object]:
    output = tmp_path / "output.json"
    env = {
        "PATH": "/usr/bin:/bin",
        "AGENT_INPUT": request,
        "AO_OUTPUT": str(output),
        "AO_RUN_ID": "r",
        "AO_ATTEMPT": "1",
    }
    subprocess.run(["sh", "report.sh"], cwd=PROJECT, env=env, check=True, capture_output=True)
    result: dict[str, object] = json.loads(output.read_text())
    return result


def test_counts_what_is_at_or_above_the_status(tmp_path: Path) -> None:
    every = report(tmp_path, '{"min_status": 100}')
    assert every["requests"] == every["bad"] == 400
    errors = report(tmp_path, '{"min_status": 500}')
    assert 0 < int(str(errors["bad"])) < 400


def test_starts_at_400_without_input(tmp_path: Path) -> None:
    assert report(tmp_path, "{}") == report(tmp_path, '{"min_status": 400}')
