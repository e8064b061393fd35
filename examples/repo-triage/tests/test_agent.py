"""The script as a process, the way it runs in AO."""

import json
import os
import subprocess
import sys
from pathlib import Path

AGENT = Path(__file__).parents[1] / "agent.py"
LOG = """\
commit aaa\t2026-01-02T10:00:00+00:00\tFix crash in parser

3\t1\tsrc/parser.py
2\t0\ttests/test_parser.py
commit bbb\t2026-01-01T10:00:00+00:00\tRead numbers

10\t0\tsrc/parser.py
5\t0\ttests/test_parser.py
-\t-\tlogo.png
"""


def run(tmp_path: Path, **request: object) -> dict[str, object]:
    output = tmp_path / "output.json"
    env = {**os.environ, "AGENT_INPUT": json.dumps(request), "AO_OUTPUT": str(output)}
    subprocess.run([sys.executable, str(AGENT)], check=True, env=env, capture_output=True)
    result: dict[str, object] = json.loads(output.read_text())
    return result


def test_counts_kinds_and_hot_files(tmp_path: Path) -> None:
    result = run(tmp_path, log=LOG, top=1)
    assert result["commits"] == 2
    assert result["kinds"] == {"fix": 1, "feature": 1}
    assert result["hot_files"] == [{"path": "src/parser.py", "changes": 2, "lines": 14}]


def test_finds_files_that_change_together(tmp_path: Path) -> None:
    result = run(tmp_path, log=LOG)
    assert result["change_together"] == [{"files": ["src/parser.py", "tests/test_parser.py"], "times": 2}]


def test_reads_its_own_history_without_input(tmp_path: Path) -> None:
    assert run(tmp_path)["commits"]
