"""The examples, deployed and run as their READMEs say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.command import Ao
from tests.platform import until

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def test_support_triage_recovers_from_its_first_attempt(ao: Ao) -> None:
    ao.ok("deploy", str(EXAMPLES / "support-triage"))
    done = ao.ok("run", "support-triage", "--wait", "--json").json
    assert done["attempt"] == 2
    assert done["output"]["recovered_from"].startswith("ConnectionError")
    assert done["output"]["urgent"] == ["103"]
    assert ao("run", "support-triage", "-i", '{"outag": true}').status == 5


def test_numbers_uses_numpy_from_its_own_environment(ao: Ao) -> None:
    ao.ok("deploy", str(EXAMPLES / "numbers"))
    done = ao.ok("run", "numbers", "-i", '{"column": "latency_ms"}', "--wait", "--json").json
    assert {50, 51, 133} <= set(done["output"]["outliers_at_hours"])
    assert done["output"]["p50"] < done["output"]["p95"] < done["output"]["p99"]
    assert "numpy 2." in ao.ok("logs", done["id"]).out
    until(lambda: warm(ao, "numbers")["state"] == "ready", tell=lambda: warm(ao, "numbers"))


def warm(ao: Ao, agent: str) -> Any:
    """Of its only version."""
    (deployment,) = ao.ok("deployments", agent, "--json").json["items"]
    return deployment["warm"]


def test_shell_report_writes_its_result_from_a_shell(ao: Ao) -> None:
    ao.ok("deploy", str(EXAMPLES / "shell-report"))
    done = ao.ok("run", "shell-report", "-i", '{"min_status": 500}', "--wait", "--json").json
    assert done["output"]["requests"] == 400
    assert 0 < done["output"]["bad"] < 400


def test_repo_triage_reads_the_history_it_is_given(ao: Ao, tmp_path: Path) -> None:
    """On a repository of its own, because an unpacked release has no history."""
    repository = tmp_path / "repository"
    git = ["git", "-C", str(repository), "-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    for number, subject in enumerate(
        ("Read numbers", "Fix crash in the parser", "Explain the parser in the docs")
    ):
        (repository / "parser.py").write_text(f"print({number})\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", subject], check=True)
    export = [sys.executable, str(EXAMPLES / "repo-triage" / "export.py"), str(repository)]
    history = tmp_path / "input.json"
    history.write_text(subprocess.run(export, check=True, capture_output=True, text=True).stdout)

    ao.ok("deploy", str(EXAMPLES / "repo-triage"))
    output = ao.ok("run", "repo-triage", "-i", f"@{history}", "--wait", "--json").json["output"]
    assert output["commits"] == 3
    assert output["kinds"] == {"feature": 1, "fix": 1, "docs": 1}
    assert output["hot_files"][0]["path"] == "parser.py"


def test_repo_triage_takes_an_input_that_is_too_large_for_a_variable(ao: Ao, tmp_path: Path) -> None:
    commits = "".join(
        f"commit {n:07x}\t2026-01-01T00:00:00+00:00\tAdd part {n}\n\n1\t0\tsrc/{n % 50}.py\n"
        for n in range(4000)
    )
    large = tmp_path / "large.json"
    large.write_text(json.dumps({"log": commits}))
    assert large.stat().st_size > 200_000
    ao.ok("deploy", str(EXAMPLES / "repo-triage"))
    output = ao.ok("run", "repo-triage", "-i", f"@{large}", "--wait", "--json").json["output"]
    assert output["commits"] == 4000
