"""A script, not a function: input comes in AGENT_INPUT, the result goes to the file that AO_OUTPUT names."""

import itertools
import json
import os
import re
from collections import Counter
from pathlib import Path

KINDS = {
    "fix": r"\b(fix|bug|crash|repair|correct)",
    "test": r"\b(test|coverage|benchmark)",
    "docs": r"\b(doc|readme|changelog|explain)",
    "remove": r"\b(remove|delete|drop)",
    "refactor": r"\b(refactor|rename|move|split|simplify|clean)",
}


def read_input() -> dict:
    """AGENT_INPUT, or the file that AGENT_INPUT_FILE names when the input is large."""
    if "AGENT_INPUT_FILE" in os.environ:
        return json.loads(Path(os.environ["AGENT_INPUT_FILE"]).read_text())
    return json.loads(os.environ.get("AGENT_INPUT") or "{}")


def parse(log: str) -> list[dict]:
    """Commits of `git log --numstat --format='commit %h%x09%cI%x09%s'`, newest first."""
    commits: list[dict] = []
    for line in log.splitlines():
        if line.startswith("commit "):
            digest, date, subject = line.removeprefix("commit ").split("\t", 2)
            commits.append({"id": digest, "date": date, "subject": subject, "files": {}})
        elif line.strip() and commits:
            added, removed, path = line.split("\t", 2)
            # Binary files have a dash instead of numbers.
            commits[-1]["files"][path] = sum(int(n) for n in (added, removed) if n != "-")
    return commits


def kind_of(subject: str) -> str:
    return next((kind for kind, words in KINDS.items() if re.search(words, subject.lower())), "feature")


def report(commits: list[dict], top: int) -> dict:
    changes, lines, together = Counter(), Counter(), Counter()
    for commit in commits:
        paths = sorted(commit["files"])
        changes.update(paths)
        lines.update(commit["files"])
        if len(paths) <= 40:  # sweeping commits say nothing about what belongs together
            together.update(itertools.combinations(paths, 2))
    return {
        "commits": len(commits),
        "kinds": dict(Counter(kind_of(commit["subject"]) for commit in commits).most_common()),
        "folders": dict(Counter(path.split("/")[0] for path in changes.elements()).most_common(top)),
        "hot_files": [{"path": p, "changes": n, "lines": lines[p]} for p, n in changes.most_common(top)],
        "change_together": [
            {"files": list(pair), "times": n} for pair, n in together.most_common(top) if n > 1
        ],
    }


def main() -> None:
    request = read_input()
    log = request.get("log") or (Path(__file__).parent / "data" / "history.txt").read_text()
    commits = parse(log)
    print(f"{len(commits)} commits, {sum(len(c['files']) for c in commits)} changed files", flush=True)
    result = report(commits, request.get("top", 5))
    for entry in result["hot_files"]:
        print(f"  {entry['changes']:>4} changes {entry['lines']:>6} lines  {entry['path']}", flush=True)
    Path(os.environ["AO_OUTPUT"]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
