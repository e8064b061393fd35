"""Commands as the documentation has them, executed."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
SECONDS = 120.0


def commands(page: str, heading: str) -> list[list[str]]:
    """Of each console block below a heading, its commands, without prompts and comments."""
    text = (DOCS / page).read_text(encoding="utf-8")
    section = re.split(r"^#{2,3} ", text.partition(f" {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert blocks, f"{page} has no commands below {heading!r}"
    return [re.findall(r"^\$ (.*?)(?:\s{2,}#.*)?$", block, re.MULTILINE) for block in blocks]


def execute(command: str, environ: Mapping[str, str], cwd: Path) -> str:
    done = subprocess.run(
        ["bash", "-ec", command],
        env=environ,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
